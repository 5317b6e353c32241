"""The database itself refuses to change or delete a row of the approval history (contract 3.6).

Code can go around a rule: a shell, an admin action, `queryset.update()`. A trigger can't be bypassed. Two things to
know:

- When a later migration alters a table, SQLite rebuilds it and drops its triggers. Such a migration ends with
  `RunPython(install, remove)`. A test checks that the triggers exist.
- SQLite refuses `manage.py flush` as soon as there is a record. The test suite flushes after tests with real
  transactions, so it removes the guard for that one statement (tests/flushing.py). PostgreSQL flushes with TRUNCATE,
  which does not fire row triggers.
"""

TABLE = "approvals_approvalrecord"
_MESSAGE = "approval records are never changed or deleted"

_CREATE = {
    "sqlite": [
        f"CREATE TRIGGER {TABLE}_no_{act} BEFORE {act.upper()} ON {TABLE} BEGIN SELECT RAISE(ABORT, '{_MESSAGE}'); END"
        for act in ("update", "delete")
    ],
    "postgresql": [
        f"CREATE FUNCTION {TABLE}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" BEGIN RAISE EXCEPTION '{_MESSAGE}' USING ERRCODE = 'restrict_violation'; END $$",
        f"CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE OR DELETE ON {TABLE}"
        f" FOR EACH ROW EXECUTE FUNCTION {TABLE}_append_only()",
    ],
}
_DROP = {
    "sqlite": [f"DROP TRIGGER IF EXISTS {TABLE}_no_{act}" for act in ("update", "delete")],
    "postgresql": [
        f"DROP TRIGGER IF EXISTS {TABLE}_append_only ON {TABLE}",
        f"DROP FUNCTION IF EXISTS {TABLE}_append_only()",
    ],
}


def create_statements(vendor: str) -> list[str]:
    """The SQL that installs the guard, for `connection.vendor`."""
    return _CREATE[vendor]


def drop_statements(vendor: str) -> list[str]:
    return _DROP[vendor]


def install(apps, schema_editor) -> None:
    vendor = schema_editor.connection.vendor
    for statement in [*drop_statements(vendor), *create_statements(vendor)]:
        schema_editor.execute(statement)


def remove(apps, schema_editor) -> None:
    for statement in drop_statements(schema_editor.connection.vendor):
        schema_editor.execute(statement)
