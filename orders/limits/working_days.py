"""The working-day calendar, and the working time between two times. Pure. Days are days in Asia/Shanghai.

If the entered calendar does not say otherwise, days from Monday to Friday are working days. So a holiday that nobody
entered is a working day. A working day has 24 hours of working time, from midnight to midnight. Other days have no
working time. `orders.limits.late_orders` loads the calendar.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy

from orders.rules.local_time import SHANGHAI, midnight

WEEKDAYS = [
    gettext_lazy("Monday"),
    gettext_lazy("Tuesday"),
    gettext_lazy("Wednesday"),
    gettext_lazy("Thursday"),
    gettext_lazy("Friday"),
    gettext_lazy("Saturday"),
    gettext_lazy("Sunday"),
]
SATURDAY = 5
ONE_DAY = datetime.timedelta(days=1)
NO_TIME = datetime.timedelta()


@dataclass(frozen=True)
class WorkingDays:
    """The calendar. `entered`: the entered days, True for working days."""

    entered: Mapping[datetime.date, bool] = field(default_factory=dict)

    def is_working_day(self, day: datetime.date) -> bool:
        return self.entered.get(day, day.weekday() < SATURDAY)

    def next_working_day(self, after: datetime.date) -> datetime.date:
        """Returns the first working day after `after`."""
        day = after + ONE_DAY
        while not self.is_working_day(day):
            day += ONE_DAY
        return day

    def worked(self, since: datetime.datetime, until: datetime.datetime) -> datetime.timedelta:
        """Returns the working time between two times. The result is zero if `until` is not later."""
        total, moment = NO_TIME, since.astimezone(SHANGHAI)
        while moment < until:
            end = min(midnight(moment.date() + ONE_DAY), until)
            if self.is_working_day(moment.date()):
                total += end - moment
            moment = end.astimezone(SHANGHAI)
        return total

    def moment_before(self, now: datetime.datetime, work: datetime.timedelta) -> datetime.datetime:
        """Returns the latest time from which `work` of working time has passed until `now`."""
        moment = now.astimezone(SHANGHAI)
        while True:
            begin = midnight(moment.date())
            begin -= ONE_DAY if begin == moment else NO_TIME
            if self.is_working_day(begin.date()):
                if moment - work >= begin:
                    return moment - work
                work -= moment - begin
            moment = begin
