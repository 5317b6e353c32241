"""Notices a database that is older than what this machine has seen of it (contract 5, `restored`).

It looks on each new connection, before each claim, and in a web process at most once a second. So nothing is sent from
an earlier copy, however it was put in place. Whoever notices writes it into the database, for all machines.

The high-water mark says how far a machine has seen a database. It is a file in STATE_DIR for each database name, with
the number of the newest event. It never goes back, and never says more than was committed, since a number is noted only
after its commit. All processes of the machine write the same file, each at most once a second and in a thread of its
own, so that no order waits for it. The first number after a quiet second is written at once.
"""

import atexit
import datetime
import logging
import os
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, OperationalError, ProgrammingError, connections, transaction
from django.db.models import Subquery
from django.utils import timezone

from orders.db.compiled_sql import Prepared
from orders.db.disk import locked, replace_file
from orders.models import OrderEvent, Timeline

logger = logging.getLogger(__name__)
FRESH = 1.0  # seconds for which a web process does not look again
WRITE_EVERY = 1.0  # seconds
SUFFIX = ".newest-event"
PRESENT = Prepared(
    lambda: (
        Timeline.objects.order_by("-pk")
        .annotate(newest=Subquery(OrderEvent.objects.order_by("-pk").values("pk")[:1]))
        .values_list("name", "restored_at", "last_order", "last_attempt", "last_event", "newest")[:1]
    )
)


@dataclass(frozen=True)
class RestoreState:
    """Whether the database counts as restored, and the newest ids from before its last restore (0 without one)."""

    restored: bool = False
    last_order: int = 0
    last_attempt: int = 0
    last_event: int = 0


@dataclass
class _Last:
    """What this process saw last, and when (monotonic time)."""

    restore: RestoreState = RestoreState()
    at: float = float("-inf")
    database: str = ""  # the database's name, if it does not count as restored


_last = _Last()


def read_restore_state() -> RestoreState:
    """Asks the database with one short query. Raises django.db.Error.

    The mark is read before the database. Otherwise an event that another process commits and notes in between would
    look like a step back. Inside a transaction nothing is noted, since it may be rolled back.
    """
    known = _last.database
    mark = read_mark(known) if known else 0
    row = PRESENT.first()
    if row is None:  # the database was emptied, as tests do, and has no past
        return _keep("", RestoreState())
    if row[0] != known:
        mark = read_mark(row[0])
        row = PRESENT.first() or row
    name, restored_at, *marks, newest = row
    behind = restored_at is None and (newest or 0) < mark
    if behind:
        behind = _notice(name, seen=mark, newest=newest or 0)
    elif restored_at is None and newest and not connections[DEFAULT_DB_ALIAS].in_atomic_block:
        mark_writer.note(name, newest)
    return _keep(name, RestoreState(restored_at is not None or behind, *marks))


def is_restored() -> bool:
    """Whether nothing may be accepted or sent. It does not look again for a second, nor inside a transaction."""
    fresh = time.monotonic() - _last.at < FRESH or connections[DEFAULT_DB_ALIAS].in_atomic_block
    if fresh and not _last.restore.restored:
        return False
    return read_restore_state().restored


def _keep(name: str, restore: RestoreState) -> RestoreState:
    _last.restore, _last.at = restore, time.monotonic()
    _last.database = "" if restore.restored else name  # events of a restored database do not raise the mark
    return restore


def _notice(name: str, *, seen: int, newest: int) -> bool:
    """Notes the restore. False for a standby that lags: nothing is sent from it, and it will catch up."""
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
    """Makes the database of this name count as restored, for all machines. `about`: see Timeline. False if it did."""
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
    """For the signal `connection_created`. If the look fails, the connection is closed: nobody uses it unchecked."""
    if connection.alias != DEFAULT_DB_ALIAS:
        return
    try:
        read_restore_state()
        if connection.connection is None:  # a restore could not be noted, and Django gave it up
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
    """Whether a table or column is missing, because migrations are still to come."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state in {"42P01", "42703"} or str(error).startswith(("no such table", "no such column"))


def remember(number: int) -> None:
    """Notes, once it is committed, that this machine has seen the event with this number."""
    if name := _last.database:
        transaction.on_commit(lambda: mark_writer.note(name, number), robust=True)


def read_mark(name: str, suffix: str = SUFFIX) -> int:
    """The newest event that this machine has seen of a database. 0 if it has seen none, or the file can't be read."""
    try:
        return int(_file(name, suffix).read_text())
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        logger.error("STATE_DIR: %s can't be read: %s", _file(name, suffix), error)
        return 0


def raise_mark(name: str, number: int, suffix: str = SUFFIX) -> None:
    """Writes the number if it is higher than the one in the file. Raises OSError."""
    file = _file(name, suffix)
    file.parent.mkdir(parents=True, exist_ok=True)
    with locked(file.parent):
        if number > read_mark(name, suffix):
            replace_file(file, f"{number}\n")


def unwritable(folder: Path) -> str:
    """Why nothing can be stored in a folder; empty if it can. Makes none: the caller may be another account."""
    folder = folder.absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.R_OK | os.W_OK | os.X_OK) else f"{there} is not writable for this account"


def _file(name: str, suffix: str) -> Path:
    return settings.STATE_DIR / f"{name}{suffix}"


class MarkWriter:
    """Writes the mark of what this process has seen. `note` may be called from any thread, and never waits."""

    def __init__(self):
        self.lock, self.writing = threading.Lock(), threading.Lock()
        self.pending: dict[str, int] = {}
        self.written: dict[str, int] = {}
        self.thread: threading.Thread | None = None
        self.broken = False

    def note(self, name: str, number: int) -> None:
        """Notes that an event with this number is committed in the database of this name."""
        with self.lock:
            if number <= max(self.pending.get(name, 0), self.written.get(name, 0)):
                return
            self.pending[name] = number
            if self.thread is None:
                self._begin()

    def _begin(self) -> None:
        """Starts the thread. If the machine has none to give, the next number tries again; no order fails for that."""
        thread = threading.Thread(target=self._run, name="high-water-mark", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            logger.error("the newest event can't be noted now: %s", error)
        else:
            self.thread = thread

    def flush(self) -> None:
        """Writes what was noted, and waits for a thread that is writing. Logs once if STATE_DIR can't be written."""
        with self.writing:
            with self.lock:
                pending, self.pending = self.pending, {}
            for name, number in pending.items():
                self._write(name, number)

    def _write(self, name: str, number: int) -> None:
        try:
            raise_mark(name, number)
        except OSError as error:
            if not self.broken:
                logger.error("STATE_DIR can't be written, so a restored database may go unnoticed: %s", error)
            self.broken = True
        else:
            self.written[name], self.broken = number, False

    def _run(self) -> None:
        while True:
            self.flush()
            time.sleep(WRITE_EVERY)
            with self.lock:
                if not self.pending:
                    self.thread = None
                    return


mark_writer = MarkWriter()


def _after_fork() -> None:
    """Starts anew in a child. It has none of its parent's threads, and the parent writes what was noted there."""
    global mark_writer
    mark_writer = MarkWriter()


# No fork while the folder is locked. A child would hold the lock as long as it lives, and everybody else would wait.
os.register_at_fork(
    before=lambda: mark_writer.writing.acquire(),
    after_in_parent=lambda: mark_writer.writing.release(),
    after_in_child=_after_fork,
)
atexit.register(lambda: mark_writer.flush())
