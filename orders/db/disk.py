"""Files that several processes write, and writes that must survive a power failure."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk. Before that a power failure may undo a rename. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lock_is_free(held: contextlib.ExitStack, folder: Path, name: str) -> bool:
    """Take a lock of this machine if it is free; returns False if another process holds it.

    The lock lasts as long as `held`, and the kernel releases it if the process is killed. Returns True without a lock
    if the folder can't be written.
    """
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
    """Admit one process of this machine at a time to the block.

    The lock is on the folder itself, since a lock file could belong to another account.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace_file(file: Path, text: str) -> None:
    """Replace a file atomically: a power failure leaves the old or the new text, never a part."""
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
