"""Reads BBOSS's times and days: ASCII digits only, and only those that exist (contract 1)."""

import datetime
import re

from integrations.outbound.formats import ZONE

_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})")
_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")


def parse_time(text: str) -> datetime.datetime | None:
    """`20230920185339` as an aware time in Asia/Shanghai; None if it is none."""
    match = _TIME.fullmatch(text)
    try:
        return match and datetime.datetime(*map(int, match.groups()), tzinfo=ZONE)
    except ValueError:
        return None


def parse_day(text: str) -> datetime.date | None:
    """`20230920` as a date; None if it is none."""
    match = _DAY.fullmatch(text)
    try:
        return match and datetime.date(*map(int, match.groups()))
    except ValueError:
        return None
