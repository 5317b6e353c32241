"""The time zone of all wall-clock times that partners send and get, and of the days that staff name (contract 1).
Pure."""

import datetime
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def midnight(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(), SHANGHAI)


def in_ten_years(t: datetime.datetime) -> datetime.datetime:
    """Returns the same local time in Asia/Shanghai ten years later. 29 February becomes the 28th (contract 3.3)."""
    local = t.astimezone(SHANGHAI)
    day = 28 if (local.month, local.day) == (2, 29) else local.day
    return local.replace(year=local.year + 10, day=day)
