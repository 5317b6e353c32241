"""The slots of a scheduled export, given by weekdays and a time of day in Asia/Shanghai. Pure functions."""

import datetime

from orders.rules.local_time import SHANGHAI

DAY = datetime.timedelta(days=1)


def next_slot(weekdays: str, at: datetime.time, *, after: datetime.datetime) -> datetime.datetime:
    """Returns the first slot after a time. `weekdays` holds at least one ISO weekday number, such as `135`."""
    first = after.astimezone(SHANGHAI).date()
    slots = (datetime.datetime.combine(first + ahead * DAY, at, SHANGHAI) for ahead in range(8))
    return next(slot for slot in slots if slot > after and str(slot.isoweekday()) in weekdays)


def last_slot(weekdays: str, at: datetime.time, *, until: datetime.datetime) -> datetime.datetime:
    last = until.astimezone(SHANGHAI).date()
    slots = (datetime.datetime.combine(last - back * DAY, at, SHANGHAI) for back in range(8))
    return next(slot for slot in slots if slot <= until and str(slot.isoweekday()) in weekdays)


def slots_between(weekdays: str, at: datetime.time, *, after: datetime.datetime, until: datetime.datetime) -> int:
    number, slot = 0, next_slot(weekdays, at, after=after)
    while slot <= until:
        number, slot = number + 1, next_slot(weekdays, at, after=slot)
    return number
