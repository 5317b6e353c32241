"""Erases lines without a person's request: overdue lines, and lines that a restore brought back (contract 3.14)."""

import datetime
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from django.conf import settings

from orders.erasing.erase_line import erase_line
from orders.erasing.erased_list import erased_elsewhere, hash_of, listed, note_erased
from orders.erasing.over_lines import overdue_lines
from orders.models import Erasure
from orders.restore.detect_restore import is_restored
from orders.texts.errors import NotAllowedError

SECONDS = 30
LATELY = datetime.timedelta(days=2)


@dataclass
class Again:
    """`erased`: the numbers of erased orders. `left`: the reason for each number whose line can't be erased now."""

    erased: set[str] = field(default_factory=set)
    left: dict[str, str] = field(default_factory=dict)


def erase_due(*, now: datetime.datetime) -> int:
    """Erases overdue lines (PERSONAL_DATA_DAYS) and orders of the list of erased orders, for about SECONDS. Returns the
    number of erased orders."""
    if is_restored():
        return 0
    _complete_list(now)
    before = now - datetime.timedelta(days=settings.PERSONAL_DATA_DAYS)
    overdue = overdue_lines(before).values_list("number", flat=True) if settings.PERSONAL_DATA_DAYS else ()
    numbers = chain(
        ((number, "erased-orders.txt") for number in erased_elsewhere()),
        ((number, f"PERSONAL_DATA_DAYS={settings.PERSONAL_DATA_DAYS}") for number in list(overdue)),
    )
    return len(_erase(numbers, by="worker", now=now, seconds=SECONDS).erased)


def erase_again(*, by: str, now: datetime.datetime) -> Again:
    """Erases the orders of the list of erased orders that this database has and has not erased. Raises OSError."""
    return _erase(((number, "erased-orders.txt") for number in erased_elsewhere()), by=by, now=now)


def _erase(
    numbers: Iterable[tuple[str, str]], *, by: str, now: datetime.datetime, seconds: float = float("inf")
) -> Again:
    done, until = Again(), time.monotonic() + seconds
    for number, reason in numbers:
        if number in done.erased:
            continue
        if time.monotonic() > until:
            break
        try:
            done.erased.update(erase_line(number=number, reason=reason, by=by, now=now).numbers)
        except NotAllowedError as why:
            done.left[number] = str(why)
    return done


def _complete_list(now: datetime.datetime) -> None:
    """Adds orders to the list whose process died between the commit and the list."""
    lately = set(Erasure.objects.filter(at__gt=now - LATELY).values_list("order__number", flat=True))
    known = listed() if lately else set()
    note_erased([number for number in sorted(lately) if hash_of(number) not in known], now=now)
