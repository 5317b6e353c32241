"""Whether this installation can do its work: database, migrations, a living worker, and how far behind it is."""

import datetime

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max, Min

from integrations.breaker import open_partners
from integrations.models import HEARTBEAT_LIMIT, Heartbeat
from orders.models import Dispatch
from orders.models.dispatch import OPEN_STATES
from orders.restored_guard import look

DATABASE_AWAY = "the database does not answer"
MIGRATIONS_MISSING = "migrations are not applied"
RESTORED = "the database was restored to an earlier state: nothing is taken in or sent until `manage.py restored`"
NO_WORKER = "no worker gave a sign of life within 2 minutes"


def heartbeat_age(now: datetime.datetime) -> float | None:
    """Seconds since any cluster's last sign of life; None if there never was one."""
    seen = Heartbeat.objects.aggregate(last=Max("seen_at"))["last"]
    return None if seen is None else (now - seen).total_seconds()


def is_alive(age: float | None) -> bool:
    """Whether a heartbeat of this age is a sign of life."""
    return age is not None and age < HEARTBEAT_LIMIT.total_seconds()


def oldest_due_age(now: datetime.datetime) -> float:
    """How many seconds ago the longest waiting dispatch could first have been claimed; 0 if nothing is due."""
    due = Dispatch.objects.filter(state__in=OPEN_STATES, next_try_at__lte=now)
    first = due.aggregate(first=Min("next_try_at"))["first"]
    return 0.0 if first is None else (now - first).total_seconds()


def missing_migrations() -> list[str]:
    """The migrations that this code has and the database has not."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


def readiness(now: datetime.datetime) -> dict:
    """What /readyz says; `reasons` is empty when all is well. Raises django.db.Error where the database is away.

    The age of the oldest due dispatch and open breakers are told and never a reason: a partner that is down is no cause
    to turn BBOSS's orders away.
    """
    if missing := missing_migrations():
        return {"database": "ok", "migrations": missing, "reasons": [MIGRATIONS_MISSING]}
    age = heartbeat_age(now)
    restored = look().restored
    return {
        "database": "restored" if restored else "ok",
        "migrations": [],
        "heartbeat_age_seconds": age,
        "oldest_due_seconds": oldest_due_age(now),
        "open_breakers": sorted(open_partners()),
        "reasons": [*([RESTORED] if restored else []), *([] if is_alive(age) else [NO_WORKER])],
    }
