"""The database itself refuses to change a row of the trail's three tables (project/trail/trail_query.py), and to delete
one that is still to be kept (contract 4, AUDIT_DAYS).

No row goes before it is 180 days old. One of TrailEntry stays until its `keep_until` as well; events and log entries
know no such day, and nothing of ours removes them. As with the approval history (approvals/append_only.py), a migration
that alters one of the tables on SQLite ends with its guard's `install`; Django's own may alter `django_admin_log`.

On SQLite `REPLACE INTO` deletes without asking the trigger for DELETE. So a row with an id that is there is refused.
"""

from approvals.append_only import RowGuard

LEAST_DAYS = 180
_CHANGED = "rows of the trail are never changed"
_DELETED = "rows of the trail are kept"


def _guard(table: str, moment: str, *, until: str = "") -> RowGuard:
    """`moment`: the column that says when it was, `until`: the one that may keep a row for longer."""
    sqlite = f"datetime(OLD.{moment}) > datetime('now', '-{LEAST_DAYS} days')"
    postgresql = f"OLD.{moment} > now() - interval '{LEAST_DAYS} days'"
    if until:
        sqlite += f" OR datetime(OLD.{until}) > datetime('now')"
        postgresql += f" OR OLD.{until} > now()"
    return RowGuard(
        table,
        "guard",
        sqlite={
            "insert": f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)"
            f" BEGIN SELECT RAISE(ABORT, '{_CHANGED}'); END",
            "update": f"BEGIN SELECT RAISE(ABORT, '{_CHANGED}'); END",
            "delete": f"WHEN {sqlite} BEGIN SELECT RAISE(ABORT, '{_DELETED}'); END",
        },
        postgresql="BEGIN"
        f" IF TG_OP = 'UPDATE' THEN RAISE EXCEPTION '{_CHANGED}' USING ERRCODE = 'restrict_violation'; END IF;"
        f" IF {postgresql} THEN"
        f" RAISE EXCEPTION '{_DELETED}' USING ERRCODE = 'restrict_violation'; END IF; RETURN OLD; END",
    )


entries = _guard("orders_trailentry", "at", until="keep_until")
events = _guard("orders_orderevent", "at")
journal = _guard("django_admin_log", "action_time")
GUARDS = (entries, events, journal)
