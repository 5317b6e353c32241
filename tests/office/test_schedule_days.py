"""`today` and the like in a scheduled export mean the day of its slot, however late the sweep and the worker come."""

import pytest

from orders.office.exports.models import Export
from tests import factories as make
from tests.conftest import shanghai
from tests.office.conftest import body, read_xlsx
from tests.office.scheduling import made, of, pass_time

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock", "site")]
# The clock stands at Wednesday 2023-09-20 18:54:36.


@pytest.fixture
def orders():
    """{day: the number of an order that came in at noon of this day}."""
    days = ["2023-09-20", "2023-09-21", "2023-09-22", "2023-09-23", "2023-09-24", "2023-09-25"]
    return {day: make.OrderFactory(received_at=shanghai(f"{day} 12:00:00")).number for day in days}


def of_today(owner, **more):
    view = make.SavedViewFactory(owner=owner.person, query="received=today", columns=["number"])
    return made(owner, view=view, **more)


def told(owner):
    export = Export.objects.latest("pk")
    return [line["订单号"] for line in read_xlsx(body(owner.get(of("download", export))))]


def test_a_slot_before_midnight_that_the_sweep_finds_after_it(owner, clock, orders):
    of_today(owner, at="23:59")
    pass_time(clock, "2023-09-21 00:00:20")
    assert told(owner) == [orders["2023-09-20"]]


@pytest.mark.parametrize(
    "weekdays, until, day",
    [
        ("1234567", "2023-09-22 23:40:00", "2023-09-22"),
        ("1234567", "2023-09-23 00:10:00", "2023-09-22"),
        ("35", "2023-09-24 12:00:00", "2023-09-22"),
        ("4", "2023-09-25 06:00:00", "2023-09-21"),
    ],
)
def test_a_desk_that_was_off_tells_of_the_last_slot_that_passed(owner, clock, orders, weekdays, until, day):
    of_today(owner, at="23:30", weekdays=list(weekdays))
    pass_time(clock, until)
    assert told(owner) == [orders[day]]


def test_one_that_is_run_by_hand_tells_of_the_present_day(owner, clock, orders):
    row = of_today(owner, at="23:30")
    clock.move_to(shanghai("2023-09-22 00:05:00"))
    owner.post(of("run", row))
    pass_time(clock, "2023-09-22 00:06:00")
    by_hand = Export.objects.get(slot=None)
    assert [line["订单号"] for line in read_xlsx(body(owner.get(of("download", by_hand))))] == [orders["2023-09-22"]]
