"""Files to which several machines append lines that must survive a power failure."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from orders.db.disk import sync_folder


def read_lines(data: bytes) -> list[str]:
    """Returns a file's lines, without a line that a power failure left incomplete."""
    return data.decode(errors="replace").split("\n")[:-1]


def append_lines(file: Path, lines: Sequence[str]) -> None:
    """Appends the lines durably, in one piece. Creates the file and its folder if required. Raises OSError."""
    if not lines:
        return
    text = "".join(f"{line}\n" for line in lines)
    folder = file.parent
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
    with _locked(file) as handle:
        data = text.encode() if _ends_a_line(handle) else b"\n" + text.encode()
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)
    sync_folder(folder)  # another process may just have created the file


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[int]:
    """Yields the file, locked across machines. NFS needs the lock, since its O_APPEND is only atomic on one machine."""
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _ends_a_line(handle: int) -> bool:
    size = os.fstat(handle).st_size
    return not size or os.pread(handle, 1, size - 1) == b"\n"
