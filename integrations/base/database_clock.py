"""All machines use the database's time to determine what is due (contract 3.9, 10).

Several machines write and compare times: leases, next tries, schedules, heartbeats, start days. A machine with a wrong
clock would delay steps by hours, or start them too early. So this module's `now` replaces Django's, for our code and
for django-q2. It returns the database's time, using an offset that each process measures every ten seconds.

Between measurements a process uses the monotonic clock, so changes of the machine's clock have no effect. On SQLite
nothing is measured: the machine's time is the database's. With CLOCK_SKEW_SECONDS=0 the machine's clock is used.
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
TIME_QUERY = "SELECT extract(epoch FROM clock_timestamp())::float8"
steady = functools.partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
own_now = timezone.now  # Django's function, or its replacement in a test


class _Measured:
    """The last measurement of this process, or of the process that forked it."""

    offset: float | None = None  # the database's time minus the monotonic clock; None: not measured yet
    at = -math.inf  # monotonic time of the last measurement
    is_wrong = False  # True if this machine's clock was wrong at the last measurement, which has been logged


@functools.wraps(own_now)  # so that migrations still refer to Django's function
def now() -> datetime.datetime:
    """Returns the database's time. Returns the machine's time before the first measurement, on SQLite, and with
    CLOCK_SKEW_SECONDS=0."""
    if _Measured.offset is None or not settings.CLOCK_SKEW_SECONDS:
        return own_now()
    return datetime.datetime.fromtimestamp(_Measured.offset + steady(), datetime.UTC)


def replace_django_now() -> None:
    timezone.now = now


def is_measurement_due() -> bool:
    return steady() - _Measured.at > MEASURE_EVERY and settings.CLOCK_SKEW_SECONDS > 0


def measure(server: psycopg.Connection) -> float:
    """Reads the database's time. Returns the seconds by which this machine's clock is ahead. Raises psycopg.Error.

    The monotonic clock is read before and after the query, which gives bounds for the offset. If the previous offset is
    within the bounds, it is kept, so that times do not jump at each measurement. If the machine's own time is within
    the bounds of the first measurement, that time is kept.
    """
    before = _Measured.at = steady()
    theirs: float = server.execute(TIME_QUERY).fetchone()[0]
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
