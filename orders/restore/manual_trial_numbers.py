"""The numbers of manually entered trials, in a file that survives a restore of the database.

BBOSS resends orders that a restore has lost, but not trials that were entered by hand. The numbers of these trials
would be lost although their records exist at the big-data side. So each number is written to a file in ATTACHMENT_DIR,
which all machines share, before the transaction commits (contract 4, ATTACHMENT_DIR). If the commit fails, the number
stays there and does no harm. The file only grows, by one line per trial: `NUMBER TIME ACTOR`, with the time in
Asia/Shanghai.
"""

import contextlib
import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from orders.db.line_file import append_lines, read_lines
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
    append_lines(numbers_file(), [str(EnteredNumber(number, now, actor)) for number in numbers])


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
    append_lines(numbers_file(), [str(line) for line in lacking])
    return len(lacking)


def _parse(data: bytes) -> list[EnteredNumber]:
    """Parses the lines of a file. Skips a line that a power failure left incomplete."""
    found = []
    for line in read_lines(data):
        if match := LINE.fullmatch(line):
            with contextlib.suppress(ValueError):
                at = datetime.datetime.fromisoformat(match["at"]).astimezone(SHANGHAI)
                found.append(EnteredNumber(match["number"], at, match["by"]))
    return found
