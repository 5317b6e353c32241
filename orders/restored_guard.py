"""Notices a database that is older than what this machine has seen of it (contract 5, `restored`).

Asked on each new connection, before each claim, and by a web process at most once a second: whoever put an earlier copy
in place, by whatever means, nothing goes out of it. Who notices writes it into the database, for all machines.
"""

import logging
import socket
import time
from dataclasses import dataclass

from django.db import DEFAULT_DB_ALIAS, Error, OperationalError, ProgrammingError, connections
from django.db.models import Subquery
from django.utils import timezone

from orders import high_water_mark
from orders.db.compiled_sql import Prepared
from orders.models import OrderEvent, Timeline
from orders.services.restores import note_restored

logger = logging.getLogger(__name__)
FRESH = 1.0  # seconds for which a web process believes that all is well
PRESENT = Prepared(
    lambda: (
        Timeline.objects.order_by("-pk")
        .annotate(newest=Subquery(OrderEvent.objects.order_by("-pk").values("pk")[:1]))
        .values_list("name", "restored_at", "last_order", "last_attempt", "last_event", "newest")[:1]
    )
)


@dataclass(frozen=True)
class Standing:
    """What is known of the database: whether it counts as restored, and the newest order, attempt and event from before
    it did so the last time (0 if it never did)."""

    restored: bool = False
    last_order: int = 0
    last_attempt: int = 0
    last_event: int = 0


@dataclass
class _Last:
    """What this process saw last, and at which monotonic time."""

    standing: Standing = Standing()
    at: float = float("-inf")


_last = _Last()


def look() -> Standing:
    """Asks the database; one short query. Raises django.db.Error.

    The mark is read first: what another process commits and notes between the two questions must not look like a step
    back. Inside a transaction nothing is noted, since it may be rolled back.
    """
    known = high_water_mark.database
    mark = high_water_mark.read(known) if known else 0
    row = PRESENT.first()
    if row is None:  # a database that was emptied, as tests do: it has no past
        return _keep("", Standing())
    if row[0] != known:
        mark = high_water_mark.read(row[0])
        row = PRESENT.first() or row
    name, restored_at, *marks, newest = row
    behind = restored_at is None and (newest or 0) < mark
    if behind:
        behind = _notice(name, seen=mark, newest=newest or 0)
    elif restored_at is None and newest and not connections[DEFAULT_DB_ALIAS].in_atomic_block:
        high_water_mark.writer.note(name, newest)
    return _keep(name, Standing(restored_at is not None or behind, *marks))


def is_restored() -> bool:
    """Whether nothing may be taken in or sent. That all is well is believed for a second, and within a transaction."""
    fresh = time.monotonic() - _last.at < FRESH or connections[DEFAULT_DB_ALIAS].in_atomic_block
    if fresh and not _last.standing.restored:
        return False
    return look().restored


def _keep(name: str, standing: Standing) -> Standing:
    high_water_mark.database = "" if standing.restored else name  # what a restored one writes is not what was seen
    _last.standing, _last.at = standing, time.monotonic()
    return standing


def _notice(name: str, *, seen: int, newest: int) -> bool:
    """Writes it down; True unless it is a standby that lags: nobody sends from there, and it will catch up."""
    about = {"machine": socket.gethostname()[:64], "seen": seen, "newest": newest}
    try:
        if _is_standby():
            return False
        note_restored(name=name, about=about, by="guard", now=timezone.now())
    except Error as error:
        logger.error("the database counts as restored, but that can't be written into it: %s", error)
    logger.error(
        "the database counts as restored: its newest event is %s, this machine has seen %s. Nothing is taken in or "
        "sent until `manage.py restored --reason TEXT`; docs/restore.md leads through",
        newest, seen,
    )  # fmt: skip
    return True


def _is_standby() -> bool:
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "postgresql":
        return False
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
        return cursor.fetchone()[0]


def look_at_new_connection(*, connection, **kwargs) -> None:
    """For Django's signal `connection_created`. A database without our tables has nothing to be asked yet.

    A connection that could not be asked is shut again: it must not be used as if it had been.
    """
    if connection.alias != DEFAULT_DB_ALIAS:
        return
    try:
        look()
    except (OperationalError, ProgrammingError) as error:
        if not _lacks_table(error):
            connection.close()
            raise
        connection.errors_occurred = False  # it is as good as new
    except BaseException:
        connection.close()
        raise


def _lacks_table(error: Exception) -> bool:
    """No such table or column: the migrations are still to come."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state in {"42P01", "42703"} or str(error).startswith(("no such table", "no such column"))
