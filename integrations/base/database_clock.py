"""One clock decides what is due: the database's (contract 3.9, 10).

Several machines write and compare moments: leases, next tries, schedules, heartbeats, start days. A machine whose clock
is wrong would make them sleep for hours, or take them too early. So this module's `now` stands in Django's place, for
our code and for django-q2's: the database's time, by the difference that each process measures every ten seconds.

The process goes on from there by a clock that nobody sets, so a step of the machine's clock is not seen at all. On
SQLite nothing is measured: the machine's time is the database's. With CLOCK_SKEW_SECONDS=0 the own clock counts.
"""

import datetime
import functools
import logging
import math
import time

import psycopg
from django.conf import settings
from django.utils import timezone

logger = logging.getLogger(__name__)
MEASURE_EVERY = 10.0  # seconds
ASKED = "SELECT extract(epoch FROM clock_timestamp())::float8"
steady = functools.partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
own_now = timezone.now  # Django's, or what a test has put there


class _Measured:
    """The last measurement of this process, or of the one that forked it."""

    offset: float | None = None  # the database's time less the steady clock's; None: not measured yet
    at = -math.inf  # when it was measured last, by the steady clock
    is_wrong = False  # whether the log says that the machine's clock is


@functools.wraps(own_now)  # so that migrations still name Django's
def now() -> datetime.datetime:
    """Returns the database's time. Returns the machine's before the first measurement, on SQLite, and if the check is
    off."""
    if _Measured.offset is None or not settings.CLOCK_SKEW_SECONDS:
        return own_now()
    return datetime.datetime.fromtimestamp(_Measured.offset + steady(), datetime.UTC)


def stand_in_for_djangos() -> None:
    timezone.now = now


def is_to_measure() -> bool:
    return steady() - _Measured.at > MEASURE_EVERY and settings.CLOCK_SKEW_SECONDS > 0


def measure(server: psycopg.Connection) -> float:
    """Reads the database's time. Returns the seconds that this machine's clock is ahead. Raises psycopg.Error.

    The answer lies between two looks at the steady clock, so it bounds the offset. One that fits is kept: then times
    do not jump with each measurement, and where the clocks agree the machine's own is taken as it is.
    """
    before = _Measured.at = steady()
    theirs: float = server.execute(ASKED).fetchone()[0]
    own, after = own_now().timestamp(), steady()
    kept = own - after if _Measured.offset is None else _Measured.offset
    _Measured.offset = min(max(kept, theirs - after), theirs - before)
    ahead = own - after - _Measured.offset
    _log(ahead)
    return ahead


def _log(ahead: float) -> None:
    """Logs once that the machine's clock is wrong, and once that it is right again."""
    is_wrong = abs(ahead) > settings.CLOCK_SKEW_SECONDS > 0
    if is_wrong and not _Measured.is_wrong:
        logger.warning("this machine's clock is %.0f s ahead of the database's, whose time counts", ahead)
    elif _Measured.is_wrong and not is_wrong:
        logger.warning("this machine's clock agrees with the database's again")
    _Measured.is_wrong = is_wrong
