"""The list of erased orders, in a file that survives a restore of the database (contract 3.14).

Each line is `SHA-256 TIME`, with the hash of the order's number. All machines share ATTACHMENT_DIR, where the file is.
"""

import datetime
import hashlib
import re
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from django.conf import settings

from orders.db.line_file import append_lines, read_lines
from orders.models import Erasure, Order
from orders.rules.local_time import SHANGHAI

NAME = "erased-orders.txt"
LINE = re.compile("([0-9a-f]{64}) ")


def erased_file() -> Path:
    return settings.ATTACHMENT_DIR / NAME


def note_erased(numbers: Iterable[str], *, now: datetime.datetime) -> None:
    """Appends the orders durably. Raises OSError."""
    at = now.astimezone(SHANGHAI).isoformat(timespec="seconds")
    append_lines(erased_file(), [f"{hash_of(number)} {at}" for number in numbers])


def merge_erased(copy: bytes) -> int:
    """Adds lines of a backup's list that are missing. Returns the number of added lines. Raises OSError."""
    known = listed()
    lines = [line for digest, line in _lines(copy).items() if digest not in known]
    append_lines(erased_file(), lines)
    return len(lines)


def _lines(data: bytes) -> dict[str, str]:
    """Returns a list's lines by hash, without a line that a power failure left incomplete."""
    return {match[1]: line for line in read_lines(data) if (match := LINE.match(line))}


def listed() -> Set[str]:
    """Returns the hashes in the list. Raises OSError."""
    try:
        return _lines(erased_file().read_bytes()).keys()
    except FileNotFoundError:
        return frozenset()


def hash_of(number: str) -> str:
    return hashlib.sha256(number.encode()).hexdigest()


def erased_elsewhere() -> Iterator[str]:
    """Yields the numbers of orders that are in the list and not erased in this database, which was restored. Reads the
    orders only if the list has a line that this database's erasures lack."""
    erased = set(Erasure.objects.values_list("order__number", flat=True))
    lacking = listed() - {hash_of(number) for number in erased}
    numbers = Order.objects.order_by("pk").values_list("number", flat=True) if lacking else ()
    for number in list(numbers):
        if hash_of(number) in lacking:
            yield number
