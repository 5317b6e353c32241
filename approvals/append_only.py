"""The database itself refuses to change or delete a row of the approval history (contract 3.6).

Code can be passed by: a shell, an admin action, `queryset.update()`. A trigger can't. Two things to know:

- SQLite makes a table anew when a later migration alters it, and the triggers go with the old one. Such a migration
  ends with `RunPython(install, remove)`; a test looks whether they are there.
- `manage.py flush` is refused on SQLite as soon as there is a record. The test suite, which flushes after tests
  with real transactions, takes the guard off for that one statement only (tests/flushing.py). PostgreSQL flushes by
  TRUNCATE, at which row triggers don't fire.
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
    """The SQL that sets the guard, for `connection.vendor`."""
    return _CREATE[vendor]


def drop_statements(vendor: str) -> list[str]:
    """The SQL that takes the guard off; harmless where there is none."""
    return _DROP[vendor]


def install(apps, schema_editor) -> None:
    """For migrations: sets the guard, anew where it was."""
    vendor = schema_editor.connection.vendor
    for statement in [*drop_statements(vendor), *create_statements(vendor)]:
        schema_editor.execute(statement)


def remove(apps, schema_editor) -> None:
    """For migrations, backwards."""
    for statement in drop_statements(schema_editor.connection.vendor):
        schema_editor.execute(statement)
