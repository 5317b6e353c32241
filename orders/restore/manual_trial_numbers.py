"""The numbers of manually entered trials, in a file that survives a restore of the database.

BBOSS resends orders that a restore has lost, but not trials that were entered by hand. The numbers of these trials
would be lost although their records exist at the big-data side. So each number is written to a file in ATTACHMENT_DIR,
which all machines share, before the transaction commits (contract 4, ATTACHMENT_DIR). If the commit fails, the number
stays there and does no harm. The file only grows, by one line per trial: `NUMBER TIME ACTOR`, with the time in
Asia/Shanghai.
"""

import contextlib
import datetime
import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from orders.db.disk import sync_folder
from orders.rules.local_time import SHANGHAI

NAME = "numbers-entered-by-hand.txt"
LINE = re.compile(r"(?P<number>[A-Za-z0-9_-]{1,64}) (?P<at>\S+) (?P<by>.+)")


@dataclass(frozen=True)
class EnteredNumber:
    """A line of the file: the trial's number, the time of entry, and the actor."""

    number: str
    at: datetime.datetime
    by: str

    def __str__(self) -> str:
        return f"{self.number} {self.at.astimezone(SHANGHAI).isoformat(timespec='seconds')} {self.by}"


def numbers_file() -> Path:
    return settings.ATTACHMENT_DIR / NAME


def note_numbers(numbers: Iterable[str], *, by: str, now: datetime.datetime) -> None:
    """Appends the numbers durably, in one piece, as the last step before the commit. Raises OSError."""
    actor = " ".join(by.split())
    _append([EnteredNumber(number, now, actor) for number in numbers])


def read_numbers() -> list[EnteredNumber]:
    """Returns all lines, the oldest first. The result is empty if there is no file. Raises OSError."""
    try:
        return _parse(numbers_file().read_bytes())
    except FileNotFoundError:
        return []


def merge_numbers(copy: bytes) -> int:
    """Adds lines of a copy that are missing in the file. Returns the number of added lines. Raises OSError."""
    known = set(read_numbers())
    lacking = [line for line in _parse(copy) if line not in known]
    _append(lacking)
    return len(lacking)


def _parse(data: bytes) -> list[EnteredNumber]:
    """Parses the lines of a file. Skips a line that a power failure left incomplete."""
    *lines, _torn = data.decode(errors="replace").split("\n")
    found = []
    for line in lines:
        if match := LINE.fullmatch(line):
            with contextlib.suppress(ValueError):
                at = datetime.datetime.fromisoformat(match["at"]).astimezone(SHANGHAI)
                found.append(EnteredNumber(match["number"], at, match["by"]))
    return found


def _append(lines: list[EnteredNumber]) -> None:
    if not lines:
        return
    text = "".join(f"{line}\n" for line in lines)
    folder = numbers_file().parent
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
    with _locked(numbers_file()) as handle:
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
