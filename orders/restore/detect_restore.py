"""Detects a database that is older than the state that this machine has seen (contract 5, `restored`).

The check runs on each new connection, before each claim, and in a web process at most once a second. So nothing is sent
from an earlier copy, however the copy was restored. The first process that detects the restore records it in the
database, for all machines.
"""

import datetime
import logging
import socket
import time
from dataclasses import dataclass

from django.db import DEFAULT_DB_ALIAS, Error, OperationalError, ProgrammingError, connections, transaction
from django.db.models import Subquery
from django.utils import timezone

from orders.db.compiled_sql import Prepared
from orders.models import OrderEvent, Timeline
from orders.restore import mark_file
from orders.restore.mark_file import read_mark

logger = logging.getLogger(__name__)
FRESH = 1.0  # seconds between checks in a web process
PRESENT = Prepared(
    lambda: (
        Timeline.objects.order_by("-pk")
        .annotate(newest=Subquery(OrderEvent.objects.order_by("-pk").values("pk")[:1]))
        .values_list("name", "restored_at", "last_order", "last_attempt", "last_event", "newest")[:1]
    )
)


@dataclass(frozen=True)
class RestoreState:
    """`restored`: the database counts as restored.

    The other fields are the newest ids from before the database's last restore (0 without a restore).
    """

    restored: bool = False
    last_order: int = 0
    last_attempt: int = 0
    last_event: int = 0


@dataclass
class _Last:
    """The state that this process read last, with its (monotonic) time."""

    restore: RestoreState = RestoreState()
    at: float = float("-inf")
    database: str = ""  # the database's name, if it does not count as restored


_last = _Last()


def read_restore_state() -> RestoreState:
    """Reads the state with one short query. Raises django.db.Error.

    The mark is read before the database. Otherwise an event that another process commits and records in between would
    look like a restore. Inside a transaction the mark is not raised, since it may be rolled back.
    """
    known = _last.database
    mark = read_mark(known) if known else 0
    row = PRESENT.first()
    if row is None:  # the database was emptied, as tests do, and has no history
        return _keep("", RestoreState())
    if row[0] != known:
        mark = read_mark(row[0])
        row = PRESENT.first() or row
    name, restored_at, *marks, newest = row
    behind = restored_at is None and (newest or 0) < mark
    if behind:
        behind = _notice(name, seen=mark, newest=newest or 0)
    elif restored_at is None and newest and not connections[DEFAULT_DB_ALIAS].in_atomic_block:
        mark_file.mark_writer.note(name, newest)
    return _keep(name, RestoreState(restored_at is not None or behind, *marks))


def is_restored() -> bool:
    """Returns True if nothing may be accepted or sent. Checks at most once a second, and not inside a transaction."""
    fresh = time.monotonic() - _last.at < FRESH or connections[DEFAULT_DB_ALIAS].in_atomic_block
    if fresh and not _last.restore.restored:
        return False
    return read_restore_state().restored


def _keep(name: str, restore: RestoreState) -> RestoreState:
    _last.restore, _last.at = restore, time.monotonic()
    _last.database = "" if restore.restored else name  # events of a restored database do not raise the mark
    return restore


def _notice(name: str, *, seen: int, newest: int) -> bool:
    """Records the restore. Returns False for a lagging standby, since nothing is sent from the standby, and it will
    catch up."""
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
        newest,
        seen,
    )
    return True


def _is_standby() -> bool:
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "postgresql":
        return False
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
        return cursor.fetchone()[0]


def note_restored(*, name: str, about: dict, by: str, now: datetime.datetime) -> bool:
    """Marks the database of this name as restored, for all machines.

    `about`: see Timeline. Returns False if the database was marked already.
    """
    with transaction.atomic():
        row = Timeline.objects.select_for_update().filter(name=name, restored_at=None).first()
        if row is None:
            return False
        event = OrderEvent.objects.create(kind="database_restored", actor=by[:160], at=now, data=about)
        remember(event.pk)
        row.restored_at, row.restored = now, about | {"event": event.pk}
        row.save()
    return True


def look_at_new_connection(*, connection, **kwargs) -> None:
    """Receiver of `connection_created`.

    If the check fails, the connection is closed, so that no unchecked connection is used.
    """
    if connection.alias != DEFAULT_DB_ALIAS:
        return
    try:
        read_restore_state()
        if connection.connection is None:  # a restore could not be recorded, and Django closed the connection
            raise OperationalError("the connection ended while it was looked at")
    except (OperationalError, ProgrammingError) as error:
        if not _lacks_table(error):
            connection.close()
            raise
        connection.errors_occurred = False  # the connection is still usable
    except BaseException:
        connection.close()
        raise


def _lacks_table(error: Exception) -> bool:
    """Returns True if a table or column is missing, because migrations have not been applied yet."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state in {"42P01", "42703"} or str(error).startswith(("no such table", "no such column"))


def remember(number: int) -> None:
    """Records on commit that this machine has seen the event with this number."""
    if name := _last.database:
        transaction.on_commit(lambda: mark_file.mark_writer.note(name, number), robust=True)
