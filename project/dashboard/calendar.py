"""The start days of the next two weeks: due, done and overdue; and the trials that end. Pure."""

import datetime
from dataclasses import dataclass

from orders.admin.order_list import NOT_LIVE
from orders.admin.reference import WEEKDAYS
from orders.models import Order
from project.dashboard.figures import ENDING, OVERDUE
from project.dashboard.numbers import orders_link

DAYS, SOON = 14, 7


@dataclass(frozen=True)
class Day:
    """A day: how many activations are due, how many are live, and how many trials end, with links to their lists."""

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
