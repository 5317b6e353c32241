"""The calendar of working days that the desk keeps."""

from orders.models import CalendarDay
from orders.working_days import WorkingDays


def working_days() -> WorkingDays:
    """All days that were entered, in one query: a few dozen a year."""
    return WorkingDays(dict(CalendarDay.objects.values_list("day", "worked")))
