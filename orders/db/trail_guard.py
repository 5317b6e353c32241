"""The database itself refuses to change a row of the trail, and to delete one that is still to be kept (contract 4,
AUDIT_DAYS).

A row may go once its `keep_until` is over, and not before it is 180 days old, whatever `keep_until` says. As with the
approval history (approvals/append_only.py), a migration that alters the table on SQLite ends with `install`.
"""

from approvals.append_only import RowGuard

LEAST_DAYS = 180
_CHANGED = "rows of the trail are never changed"
_DELETED = "rows of the trail are kept"

guard = RowGuard(
    "orders_trailentry",
    "guard",
    sqlite={
        "update": f"BEGIN SELECT RAISE(ABORT, '{_CHANGED}'); END",
        "delete": f"WHEN datetime(OLD.keep_until) > datetime('now') OR datetime(OLD.at) > datetime('now',"
        f" '-{LEAST_DAYS} days') BEGIN SELECT RAISE(ABORT, '{_DELETED}'); END",
    },
    postgresql="BEGIN"
    f" IF TG_OP = 'UPDATE' THEN RAISE EXCEPTION '{_CHANGED}' USING ERRCODE = 'restrict_violation'; END IF;"
    f" IF OLD.keep_until > now() OR OLD.at > now() - interval '{LEAST_DAYS} days' THEN"
    f" RAISE EXCEPTION '{_DELETED}' USING ERRCODE = 'restrict_violation'; END IF; RETURN OLD; END",
)
install, remove = guard.install, guard.remove
