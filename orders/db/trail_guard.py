"""Database triggers that refuse changes of the trail's three tables (project/trail/trail_query.py) and early deletions
(contract 4, AUDIT_DAYS).

No row can be deleted before it is 180 days old. A row of TrailEntry is also kept until its `keep_until`; events and log
entries have no such column, and the application never removes them. As with the approval history
(approvals/append_only.py), a migration that alters one of the tables on SQLite must end with its guard's `install`.
Django's own migrations may alter `django_admin_log`.

On SQLite `REPLACE INTO` deletes without running the DELETE trigger, so the guard also refuses an INSERT with an
existing id.
"""

from approvals.append_only import RowGuard
from orders.db.erasing import IN_PROGRESS, erasures

LEAST_DAYS = 180
_CHANGED = "rows of the trail are never changed"
_DELETED = "rows of the trail are kept"


def _guard(table: str, moment: str, *, until: str = "", erasing: str = "") -> RowGuard:
    """Returns a table's guard. `moment`: the column with the row's time; `until`: a column that can extend the
    retention. `erasing`: the condition under which the erasure of personal data (orders/db/erasing.py) may change a
    row.
    """
    sqlite = f"datetime(OLD.{moment}) > datetime('now', '-{LEAST_DAYS} days')"
    postgresql = f"OLD.{moment} > now() - interval '{LEAST_DAYS} days'"
    allowed = f" IF TG_OP = 'UPDATE' AND {erasing} THEN RETURN NEW; END IF;" if erasing else ""
    if until:
        sqlite += f" OR datetime(OLD.{until}) > datetime('now')"
        postgresql += f" OR OLD.{until} > now()"
    return RowGuard(
        table,
        "guard",
        sqlite={
            "insert": f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)"
            f" BEGIN SELECT RAISE(ABORT, '{_CHANGED}'); END",
            "update": f"{erasing and f'WHEN NOT {erasing} '}BEGIN SELECT RAISE(ABORT, '{_CHANGED}'); END",
            "delete": f"WHEN {sqlite} BEGIN SELECT RAISE(ABORT, '{_DELETED}'); END",
        },
        postgresql="BEGIN"
        f"{allowed} IF TG_OP = 'UPDATE' THEN RAISE EXCEPTION '{_CHANGED}' USING ERRCODE = 'restrict_violation'; END IF;"
        f" IF {postgresql} THEN"
        f" RAISE EXCEPTION '{_DELETED}' USING ERRCODE = 'restrict_violation'; END IF; RETURN OLD; END",
    )


# For migrations up to orders.0069, before the table of erasures exists:
entries = _guard("orders_trailentry", "at", until="keep_until")
events = _guard("orders_orderevent", "at")
journal = _guard("django_admin_log", "action_time")
GUARDS = (entries, events, journal)
ERASABLE = (
    _guard("orders_trailentry", "at", until="keep_until", erasing=IN_PROGRESS),
    _guard("orders_orderevent", "at", erasing=IN_PROGRESS),
)
IN_FORCE = (*ERASABLE, journal, erasures)
