"""The database itself refuses to change a row of the trail, and to delete one that is still to be kept (contract 4,
AUDIT_DAYS).

A row may go once its `keep_until` is over, and not before it is 180 days old, whatever `keep_until` says. As with the
approval history (approvals/append_only.py), a migration that alters the table on SQLite ends with `install`.
"""

TABLE = "orders_trailentry"
LEAST_DAYS = 180
_CHANGED = "rows of the trail are never changed"
_DELETED = "rows of the trail are kept"

_CREATE = {
    "sqlite": [
        f"CREATE TRIGGER {TABLE}_no_update BEFORE UPDATE ON {TABLE} BEGIN SELECT RAISE(ABORT, '{_CHANGED}'); END",
        f"CREATE TRIGGER {TABLE}_no_delete BEFORE DELETE ON {TABLE} WHEN datetime(OLD.keep_until) > datetime('now')"
        f" OR datetime(OLD.at) > datetime('now', '-{LEAST_DAYS} days') BEGIN SELECT RAISE(ABORT, '{_DELETED}'); END",
    ],
    "postgresql": [
        f"CREATE FUNCTION {TABLE}_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF TG_OP = 'UPDATE' THEN RAISE EXCEPTION '{_CHANGED}' USING ERRCODE = 'restrict_violation'; END IF;"
        f" IF OLD.keep_until > now() OR OLD.at > now() - interval '{LEAST_DAYS} days' THEN"
        f" RAISE EXCEPTION '{_DELETED}' USING ERRCODE = 'restrict_violation'; END IF; RETURN OLD; END $$",
        f"CREATE TRIGGER {TABLE}_guard BEFORE UPDATE OR DELETE ON {TABLE}"
        f" FOR EACH ROW EXECUTE FUNCTION {TABLE}_guard()",
    ],
}
_DROP = {
    "sqlite": [f"DROP TRIGGER IF EXISTS {TABLE}_no_{act}" for act in ("update", "delete")],
    "postgresql": [
        f"DROP TRIGGER IF EXISTS {TABLE}_guard ON {TABLE}",
        f"DROP FUNCTION IF EXISTS {TABLE}_guard()",
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
