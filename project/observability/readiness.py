"""The response of /readyz: the database, its migrations and a living worker."""

import datetime
import logging
import threading
import time
from contextlib import suppress

from django.db import Error, connection

from integrations.base.database_deadline import database_deadline, is_away
from integrations.base.other_desk import has_other_profile
from orders.intake.rehearsal import rehearse
from project.database import applied_migrations
from project.observability.database_diagnosis import diagnosed, lock_holder
from project.observability.desk_snapshot import DeskSnapshot, is_alive

log = logging.getLogger(__name__)
DATABASE_AWAY = "the database does not answer"
LOOK_FAILED = "the desk can't tell how it is; the log says why"
READ_ONLY = "the database takes no writes"
UNWRITABLE = "no order can be stored"
MIGRATIONS_MISSING = "migrations are not applied"
RESTORED = "the database was restored to an earlier state: nothing is taken in or sent until `manage.py restored`"
OTHER_PROFILE = "this process has another profile of the partners than the desk, so it takes no order: reload it"
NO_WORKER = "no worker gave a sign of life within 2 minutes"

LOOK_FOR = 4.0  # a check has 5 seconds; the rest is for a query about the lock that blocked the check
TRY_EVERY = 5.0  # seconds
TRY_FOR = 3.0  # time-out of a try, in seconds
LOCK_FOR = "1s"  # the lock_timeout of a try


def why_unknown(error: Exception) -> str:
    """Returns the reason for a failed check. The reason is the holder of the lock that blocked the check, or the
    unavailable database. All other errors are logged with their traceback."""
    if isinstance(error, Error) or is_away(error):
        with suppress(Exception):
            return lock_holder(of_readers=True) or DATABASE_AWAY
        return DATABASE_AWAY
    log.error("the look at the desk failed", exc_info=error)
    return LOOK_FAILED


def missing_migrations() -> list[str]:
    """Returns the names of migrations that the code has and the database lacks."""
    return applied_migrations.missing_names(connection)


def is_read_only() -> bool:
    """Returns True if PostgreSQL refuses writes: its operator has set this, or the server is a standby. Queries still
    work then."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return cursor.fetchone()[0] == "on"


class WriteTry:
    """Tries to store an order and rolls back. Each process tries at most once in 5 s, and caches the result."""

    def __init__(self):
        self.tried_at, self.why, self.trying = float("-inf"), "", threading.Lock()

    def why_not(self, now: datetime.datetime) -> str:
        """Returns the reason why no order can be stored. If orders can be stored, returns "". Callers during a try wait
        for the result of that try."""
        with self.trying:
            if time.monotonic() - self.tried_at >= TRY_EVERY:
                self.why = self._try(now)
                self.tried_at = time.monotonic()
            return self.why

    def _try(self, now: datetime.datetime) -> str:
        try:
            with database_deadline(TRY_FOR):
                rehearse(now=now, lock_timeout=LOCK_FOR)
        except Exception as error:
            if not isinstance(error, Error):
                log.error("an order can't be stored by an error of ours", exc_info=error)
            return f"{UNWRITABLE}: {diagnosed(error)}"
        return ""


write_try = WriteTry()


def readiness(now: datetime.datetime, *, intake: bool = False) -> dict:
    """Returns the report of /readyz. If all is well, `reasons` is empty. If the database is unavailable, raises
    django.db.Error.

    With `intake`, checks only that orders can be stored.

    The age of the oldest due dispatch, clocks and open breakers are reported but are never reasons, because BBOSS's
    orders must be accepted while a partner is down.
    """
    with database_deadline(LOOK_FOR):
        return _readiness(now, intake)


def _readiness(now: datetime.datetime, intake: bool) -> dict:
    if is_read_only():
        return {"database": "read only", "reasons": [READ_ONLY]}
    if missing := missing_migrations():
        return {"database": "ok", "migrations": missing, "reasons": [MIGRATIONS_MISSING]}
    if why := write_try.why_not(now):
        return {"database": "no writes", "migrations": [], "reasons": [why]}
    facts = DeskSnapshot(now)
    database = {"database": "restored" if facts.restored else "ok", "migrations": []}
    reasons = [RESTORED] if facts.restored else [OTHER_PROFILE] if has_other_profile() else []
    if intake:
        return {**database, "reasons": reasons}
    return {
        **database,
        "heartbeat_age_seconds": facts.heartbeat_age,
        "oldest_due_seconds": max(facts.oldest_due.values()),
        "clocks_ahead_seconds": facts.clocks,
        "open_breakers": [row.partner for row in facts.breakers],
        "reasons": reasons if is_alive(facts.heartbeat_age) else [*reasons, NO_WORKER],
    }
