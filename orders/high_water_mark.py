"""How far this machine has seen a database: a file in STATE_DIR for each database name, with its newest event's number.

The file never goes back, and never says more than was committed: a number is noted after its commit. All processes of
the machine write the same file, each at most once a second and in a thread of its own, so that no order waits for it;
the first number after a quiet second is written at once.
"""

import atexit
import contextlib
import fcntl
import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)
WRITE_EVERY = 1.0  # seconds
SUFFIX = ".newest-event"
database = ""
"""The name of the database that this process speaks with, as the guard saw it last; empty for none."""


def read(name: str) -> int:
    """The newest event that was seen of this database; 0 for one that was never seen, or whose file can't be read."""
    try:
        return int(_file(name).read_text())
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        logger.error("STATE_DIR: %s can't be read: %s", _file(name), error)
        return 0


def raise_to(name: str, number: int) -> None:
    """Writes the number where it is higher than what the file says. Raises OSError."""
    file = _file(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file.parent):
        if number > read(name):
            _write(file, f"{number}\n")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process of this machine at a time. The folder itself is locked, so there is no file that could be another
    account's."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(file: Path, text: str) -> None:
    """All of it or nothing, also if the power fails."""
    handle, path = tempfile.mkstemp(dir=file.parent, prefix=".")
    try:
        with os.fdopen(handle, "w") as part:
            os.fchmod(part.fileno(), 0o644)
            part.write(text)
            part.flush()
            os.fsync(part.fileno())
        os.replace(path, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def unwritable() -> str:
    """Why nothing can be kept in STATE_DIR; empty if it can. A folder that is still to be made is not made here: who
    asks may be another account."""
    folder = settings.STATE_DIR.absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.R_OK | os.W_OK | os.X_OK) else f"{there} is not writable for this account"


def _file(name: str) -> Path:
    return settings.STATE_DIR / f"{name}{SUFFIX}"


class Writer:
    """Writes what this process has seen. `note` may be called from any thread and waits for nothing."""

    def __init__(self):
        self.lock, self.writing = threading.Lock(), threading.Lock()
        self.pending: dict[str, int] = {}
        self.written: dict[str, int] = {}
        self.thread: threading.Thread | None = None
        self.broken = False

    def note(self, name: str, number: int) -> None:
        """An event with this number is committed in the database of this name."""
        with self.lock:
            if number <= max(self.pending.get(name, 0), self.written.get(name, 0)):
                return
            self.pending[name] = number
            if self.thread is None:
                self.thread = threading.Thread(target=self._run, name="high-water-mark", daemon=True)
                self.thread.start()

    def flush(self) -> None:
        """Writes what is noted, and what another thread is writing now. A STATE_DIR that can't be written is told
        once."""
        with self.writing:
            with self.lock:
                pending, self.pending = self.pending, {}
            for name, number in pending.items():
                self._write(name, number)

    def _write(self, name: str, number: int) -> None:
        try:
            raise_to(name, number)
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


writer = Writer()


def _after_fork() -> None:
    """A child has no thread of its parent's, and what is noted there is its parent's to write."""
    global writer
    writer = Writer()


# No fork while the folder is locked: a child would hold the lock as long as it lives, and everybody else would wait.
os.register_at_fork(
    before=lambda: writer.writing.acquire(),
    after_in_parent=lambda: writer.writing.release(),
    after_in_child=_after_fork,
)
atexit.register(lambda: writer.flush())
