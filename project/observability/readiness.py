"""Whether this installation can do its work: database, migrations, a living worker."""

import datetime
import logging
import time

from django.db import Error, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django_q.models import OrmQ

from integrations.database_deadline import database_deadline, is_away
from integrations.models import LeaseLock
from orders.models import (
    AcceptedCall,
    BillingRecord,
    Dispatch,
    InboundMessage,
    Order,
    OrderDomain,
    OrderEvent,
    TrialClaim,
    TrialShape,
)
from project.observability.facts import Facts, is_alive

log = logging.getLogger(__name__)
DATABASE_AWAY = "the database does not answer"
LOOK_FAILED = "the desk can't tell how it is; the log says why"
READ_ONLY = "the database takes no writes"
UNWRITABLE = "no order can be stored"
MIGRATIONS_MISSING = "migrations are not applied"
RESTORED = "the database was restored to an earlier state: nothing is taken in or sent until `manage.py restored`"
NO_WORKER = "no worker gave a sign of life within 2 minutes"

STORED = (
    InboundMessage, Order, OrderDomain, OrderEvent, AcceptedCall, TrialClaim, TrialShape, BillingRecord, Dispatch, OrmQ
)  # fmt: skip
"""The tables into which an order goes."""
TRY_EVERY = datetime.timedelta(seconds=5)
TRY_FOR = 3.0  # seconds that a try may take
LOCK_FOR = "1s"  # that it waits for a table
ROOM = "CREATE TEMPORARY TABLE IF NOT EXISTS desk_write_try ON COMMIT DROP AS SELECT 1 AS one"


def why_unknown(error: Exception) -> str:
    """The reason to give where a look failed. An error that is not the database's is logged: its traceback helps."""
    if isinstance(error, Error) or is_away(error):
        return DATABASE_AWAY
    log.error("the look at the desk failed", exc_info=error)
    return LOOK_FAILED


def missing_migrations() -> list[str]:
    """The migrations that the code has and the database lacks."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


def is_read_only() -> bool:
    """Whether PostgreSQL refuses writes, by its operator's choice or as a standby. Queries still work then."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return cursor.fetchone()[0] == "on"


class WriteTry:
    """Tries at most every 5 s whether an order could be stored, for all who ask.

    A try that went well is a row of its own in the database, so it counts for all processes. One that failed can't
    be stored, so each process remembers its own.
    """

    NAME = "write try"

    def __init__(self):
        self.failed_at, self.error = float("-inf"), ""

    def why_not(self, now: datetime.datetime) -> str:
        """Why no order can be stored: a full disk, a lock, a missing right. Empty if it can be."""
        if time.monotonic() - self.failed_at < TRY_EVERY.total_seconds():
            return self.error
        try:
            with database_deadline(TRY_FOR):
                if not LeaseLock.objects.filter(name=self.NAME, until__range=(now - TRY_EVERY, now)).exists():
                    self._write(now)
        except Error as error:
            said = str(error).partition("\n")[0]  # what follows shows our statement
            self.failed_at, self.error = time.monotonic(), f"{UNWRITABLE}: {said}"
            return self.error
        return ""

    @transaction.atomic
    def _write(self, now: datetime.datetime) -> None:
        """Writes the row, and asks for the locks and rights on each table that an order needs, without a row.

        A table of its own takes a new page, which a full disk does not have: the row finds room in its old one. The
        commit does not wait for a standby, since a backend that waits would stay there after each try.
        """
        postgres = connection.vendor == "postgresql"
        with connection.cursor() as cursor:
            if postgres:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_FOR}'; SET LOCAL synchronous_commit = local")
            for table, key in ((model._meta.db_table, model._meta.pk.column) for model in STORED):
                cursor.execute(f'INSERT INTO "{table}" ("{key}") SELECT "{key}" FROM "{table}" WHERE false')
            cursor.execute(f'UPDATE "{Order._meta.db_table}" SET id = id WHERE false')  # the right to lock a trial
            if postgres:
                cursor.execute(ROOM)
        LeaseLock.objects.update_or_create(name=self.NAME, defaults={"until": now})


write_try = WriteTry()


def readiness(now: datetime.datetime, *, intake: bool = False) -> dict:
    """The report of /readyz. `reasons` is empty if all is well. Raises django.db.Error if the database is away.

    `intake`: checks only whether orders can be stored.

    The age of the oldest due dispatch, clocks and open breakers are reported but are never reasons. A partner that is
    down is no reason to refuse BBOSS's orders.
    """
    if is_read_only():
        return {"database": "read only", "reasons": [READ_ONLY]}
    if missing := missing_migrations():
        return {"database": "ok", "migrations": missing, "reasons": [MIGRATIONS_MISSING]}
    if why := write_try.why_not(now):
        return {"database": "no writes", "migrations": [], "reasons": [why]}
    facts = Facts(now)
    database = {"database": "restored" if facts.restored else "ok", "migrations": []}
    reasons = [RESTORED] if facts.restored else []
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
