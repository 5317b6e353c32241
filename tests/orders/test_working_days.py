"""Working days, and the working time between two moments."""

import datetime

import pytest

from orders.limits.working_days import WorkingDays
from orders.rules.local_time import SHANGHAI

# Thursday 1 to Monday 5 October 2026: a holiday of two days, then a weekend whose Saturday is a working day.
DAYS = WorkingDays(
    {datetime.date(2026, 10, 1): False, datetime.date(2026, 10, 2): False, datetime.date(2026, 10, 3): True}
)
HOUR = datetime.timedelta(hours=1)


def at(day, hour=0, month=10):
    return datetime.datetime(2026, month, day, hour, tzinfo=SHANGHAI)


@pytest.mark.parametrize("day, worked", [(30, True), (1, False), (2, False), (3, True), (4, False), (5, True)])
def test_a_day_is_worked_as_the_calendar_says_else_as_the_week_does(day, worked):
    assert DAYS.is_working_day(datetime.date(2026, 9 if day == 30 else 10, day)) is worked


@pytest.mark.parametrize("after, following", [((9, 29), (9, 30)), ((9, 30), (10, 3)), ((10, 3), (10, 5))])
def test_the_next_working_day(after, following):
    assert DAYS.next_working_day(datetime.date(2026, *after)) == datetime.date(2026, *following)


def test_a_holiday_nobody_entered_is_a_working_day():
    assert WorkingDays().next_working_day(datetime.date(2026, 9, 30)) == datetime.date(2026, 10, 1)


@pytest.mark.parametrize(
    "since, hours, until",
    [
        (at(30, 15, 9), 9, at(1)),  # until the end of the day
        (at(30, 15, 9), 10, at(3, 1)),  # across the holiday
        (at(1, 12), 1, at(3, 1)),  # beginning during the holiday
        (at(3, 1), 24, at(5, 1)),  # across the Sunday
        (at(30, 0, 9), 72, at(6)),
    ],
)
def test_working_time_runs_on_working_days_alone(since, hours, until):
    assert DAYS.worked(since, until) == hours * HOUR
    assert DAYS.worked(until, since) == datetime.timedelta()


@pytest.mark.parametrize("now", [at(30, 12, 9), at(1), at(2, 12), at(3), at(4, 12), at(5), at(5, 1), at(8, 23)])
@pytest.mark.parametrize("hours", [1, 24, 50])
def test_what_began_before_that_moment_is_that_old(now, hours):
    work = hours * HOUR
    moment = DAYS.moment_before(now, work)
    assert DAYS.worked(moment, now) == work
    assert DAYS.worked(moment + HOUR / 60, now) < work
