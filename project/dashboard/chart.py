"""A bar chart (SVG) of two weeks: received orders, and stopped orders. Pure."""

import datetime
from collections import Counter
from dataclasses import dataclass

from project.dashboard.figures import STOPPED
from project.dashboard.numbers import orders_link

DAYS = 14
WIDTH, TOP, BASE = 34, 14, 114  # of a day; where the highest bar ends; where all bars begin
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

    @property
    def label_y(self) -> int:
        return self.y - 3

    @property
    def middle(self) -> float:
        return self.x + BAR / 2


@dataclass(frozen=True)
class Column:
    day: datetime.date
    middle: float
    received: Bar
    stopped: Bar


def columns_of(rows: list[tuple], today: datetime.date) -> list[Column]:
    """Makes the columns from the rows of `figures.per_day`. Both kinds of bar have the same scale."""
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
        left + BAR + 0.5,
        Bar(left, _height(received, most), received, orders_link(received=word)),
        Bar(left + BAR + 1, _height(stopped, most), stopped, orders_link(stopped=word)),
    )


def _height(number: int, most: int) -> int:
    """The height of a bar. Any number above 0 is visible."""
    return max(round(number / most * (BASE - TOP)), 2) if number else 0
