"""Whether this installation can do its work: database, migrations, a living worker."""

import datetime
import logging

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from integrations.database_deadline import is_away
from orders.restored_guard import read_restore_state
from project.observability.facts import Facts, is_alive

log = logging.getLogger(__name__)
DATABASE_AWAY = "the database does not answer"
LOOK_FAILED = "the desk can't tell how it is; the log says why"
READ_ONLY = "the database takes no writes"
MIGRATIONS_MISSING = "migrations are not applied"
RESTORED = "the database was restored to an earlier state: nothing is taken in or sent until `manage.py restored`"
NO_WORKER = "no worker gave a sign of life within 2 minutes"


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


def readiness(now: datetime.datetime, *, intake: bool = False) -> dict:
    """The report of /readyz. `reasons` is empty if all is well. Raises django.db.Error if the database is away.

    `intake`: checks database and migrations only.

    The age of the oldest due dispatch and open breakers are reported but are never reasons. A partner that is down is
    no reason to refuse BBOSS's orders.
    """
    if is_read_only():
        return {"database": "read only", "reasons": [READ_ONLY]}
    if missing := missing_migrations():
        return {"database": "ok", "migrations": missing, "reasons": [MIGRATIONS_MISSING]}
    restored = read_restore_state().restored
    database = {"database": "restored" if restored else "ok", "migrations": []}
    reasons = [RESTORED] if restored else []
    if intake:
        return {**database, "reasons": reasons}
    facts = Facts(now)
    return {
        **database,
        "heartbeat_age_seconds": facts.heartbeat_age,
        "oldest_due_seconds": max(facts.oldest_due.values()),
        "open_breakers": [row.partner for row in facts.breakers],
        "reasons": reasons if is_alive(facts.heartbeat_age) else [*reasons, NO_WORKER],
    }
