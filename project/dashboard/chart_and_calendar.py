"""The dashboard's bar chart and calendar. Pure functions.

The bar chart (SVG) shows received and stopped orders in the last two weeks. The calendar shows start days and ends of
trials in the next two weeks.
"""

import datetime
from collections import Counter
from dataclasses import dataclass

from orders.admin.order_filters import NOT_LIVE
from orders.limits.working_days import WEEKDAYS
from orders.models import Order
from project.dashboard.dashboard_queries import ENDING, OVERDUE, STOPPED
from project.dashboard.number_tiles import orders_link

DAYS, SOON = 14, 7
WIDTH, TOP, BASE = 34, 14, 114  # SVG units: width of a day; y of the top of the highest bar; y of the base of all bars
BAR = 13


@dataclass(frozen=True)
class Bar:
    x: int
    height: int
    number: int
    url: str

    @property
    def y(self) -> int:
        return BASE - self.height


@dataclass(frozen=True)
class Column:
    day: datetime.date
    middle: int
    received: Bar
    stopped: Bar


def columns_of(rows: list[tuple], today: datetime.date) -> list[Column]:
    """Returns the columns of the chart from the rows of `orders_per_day`. Both kinds of bar have the same scale."""
    received, stopped = Counter(), Counter()
    for day, kind, _state, number in rows:
        (stopped if kind == STOPPED else received)[day] += number
    most = max([*received.values(), *stopped.values(), 1])
    days = [today - datetime.timedelta(days=back) for back in reversed(range(DAYS))]
    return [_column(place, day, received[day], stopped[day], most) for place, day in enumerate(days)]


def _column(place: int, day: datetime.date, received: int, stopped: int, most: int) -> Column:
    left = place * WIDTH + 3
    word = day.isoformat()
    return Column(
        day,
        left + BAR,
        Bar(left, _height(received, most), received, orders_link(received=word)),
        Bar(left + BAR + 1, _height(stopped, most), stopped, orders_link(stopped=word)),
    )


def _height(number: int, most: int) -> int:
    """Returns the height of a bar. For the number 0 it is 0. Otherwise it is at least 2, so that the bar is visible."""
    return max(round(number / most * (BASE - TOP)), 2) if number else 0


@dataclass(frozen=True)
class Day:
    """A day of the calendar, with links. It has the numbers of activations that are due, of live activations, and of
    trials that end."""

    day: datetime.date
    today: bool
    due: int
    done: int
    ending: int

    @property
    def weekday(self):
        return WEEKDAYS[self.day.weekday()]

    @property
    def due_url(self) -> str:
        return orders_link(start=self.day.isoformat(), needs="start")

    @property
    def done_url(self) -> str:
        return orders_link(start=self.day.isoformat(), kind__exact="activation", state__exact=Order.State.ACTIVE.value)

    @property
    def ending_url(self) -> str:
        return orders_link(ends=self.day.isoformat())


@dataclass(frozen=True)
class Calendar:
    days: list[Day]
    overdue: int

    @property
    def overdue_url(self) -> str:
        return orders_link(start=OVERDUE)

    @property
    def ending(self) -> int:
        return sum(day.ending for day in self.days[:SOON])

    @property
    def ending_url(self) -> str:
        return orders_link(view="ending", ends=f"{SOON}d")


def calendar_of(rows: list[tuple], today: datetime.date) -> Calendar:
    days = [today + datetime.timedelta(days=ahead) for ahead in range(DAYS)]
    due, done, ending = (dict.fromkeys(days, 0) for _ in range(3))
    late = sum(number for _day, word, number in rows if word == OVERDUE)
    for day, word, number in rows:
        if word in NOT_LIVE:
            due[day] += number
        elif word == Order.State.ACTIVE:
            done[day] += number
        elif word == ENDING:
            ending[day] += number
    return Calendar([Day(day, day == today, due[day], done[day], ending[day]) for day in days], late)
