"""Files that several processes write, and what must be on the disk before anybody is told that it is kept."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Waits until a folder's entries are on the disk; a power failure may undo a rename until then. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lock_is_free(held: contextlib.ExitStack, folder: Path, name: str) -> bool:
    """Returns True if this machine's lock was free; it is kept as long as `held`. The kernel frees it after a kill. A
    folder that can't be written stops nobody here."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = held.enter_context((folder / f"{name}.lock").open("wb"))
    except OSError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lets one process of this machine in at a time, by the folder itself: a lock file could be another account's."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace_file(file: Path, text: str) -> None:
    """Replaces a file completely or not at all, even if the power fails."""
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
