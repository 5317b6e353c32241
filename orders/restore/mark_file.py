"""The high-water mark: the newest event of a database that this machine has seen (compared by detect_restore.py).

The mark is a file in STATE_DIR for each database name, with the number of the newest event. The mark never decreases
and never exceeds the committed numbers, since a number is recorded only after its commit. All processes of the machine
write the same file. Each process writes at most once a second and in its own thread, so that no order waits for the
write. The first number after a quiet second is written at once. This module imports no model, since the PostgreSQL
backend reads marks before the models are loaded.
"""

import atexit
import logging
import os
import threading
import time
from pathlib import Path

from django.conf import settings

from orders.db.disk import locked, replace_file

logger = logging.getLogger(__name__)
WRITE_EVERY = 1.0  # seconds
SUFFIX = ".newest-event"


def read_mark(name: str, suffix: str = SUFFIX) -> int:
    """Returns the newest event of a database that this machine has seen. Returns 0 if there is none, or if the file
    can't be read."""
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
    """Returns the reason why files can't be stored in a folder, or an empty string if they can.

    Does not create the folder, as the account may differ.
    """
    folder = folder.absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.R_OK | os.W_OK | os.X_OK) else f"{there} is not writable for this account"


def _file(name: str, suffix: str) -> Path:
    return settings.STATE_DIR / f"{name}{suffix}"


class MarkWriter:
    """Writes the marks of this process. `note` may be called from any thread, and never blocks."""

    def __init__(self):
        self.lock, self.writing = threading.Lock(), threading.Lock()
        self.pending: dict[str, int] = {}
        self.written: dict[str, int] = {}
        self.thread: threading.Thread | None = None
        self.broken = False

    def note(self, name: str, number: int) -> None:
        """Records that an event with this number is committed in the database of this name."""
        with self.lock:
            if number <= max(self.pending.get(name, 0), self.written.get(name, 0)):
                return
            self.pending[name] = number
            if self.thread is None:
                self._begin()

    def _begin(self) -> None:
        """Starts the thread. If no thread can be started, the next number tries again, and no order fails."""
        thread = threading.Thread(target=self._run, name="high-water-mark", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            logger.error("the newest event can't be noted now: %s", error)
        else:
            self.thread = thread

    def flush(self) -> None:
        """Writes the recorded numbers, and waits for a thread that is writing.

        Logs once if STATE_DIR can't be written.
        """
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
    """Creates a new writer in a child process, which has none of its parent's threads.

    The parent writes its own numbers.
    """
    global mark_writer
    mark_writer = MarkWriter()


# No fork while the folder is locked: the child would inherit the lock and hold it until it exits.
os.register_at_fork(
    before=lambda: mark_writer.writing.acquire(),
    after_in_parent=lambda: mark_writer.writing.release(),
    after_in_child=_after_fork,
)
atexit.register(lambda: mark_writer.flush())
