"""The zone of all wall-clock times: what partners send and get, and the days that staff name (contract 1). Pure."""

import datetime
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def midnight(day: datetime.date) -> datetime.datetime:
    """The day's first moment."""
    return datetime.datetime.combine(day, datetime.time(), SHANGHAI)
