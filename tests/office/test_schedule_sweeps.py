"""The sweep begins scheduled exports in parts, one after another, even if the clock changes or a single row fails."""

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from orders.office.exports import export_jobs as exports
from orders.office.exports import schedules
from orders.office.exports.models import Export, ScheduledExport
from orders.office.exports.schedules import begin_due_exports
from orders.office.jobs import queue_next
from tests import factories as make
from tests.conftest import shanghai
from tests.office.conftest import body, read_xlsx
from tests.office.scheduling import made, of, pass_time

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock", "site")]
# The test's clock stands at Wednesday 2023-09-20 18:54:36.


def test_a_clock_that_was_years_ahead_silences_nothing(clock, row):
    pass_time(clock, "2031-01-01 00:00:00")
    pass_time(clock, "2023-09-22 07:00:00")
    assert make.fresh(row).next_run_at == shanghai("2023-09-22 08:00:00")
    pass_time(clock, "2023-09-22 08:00:00")
    assert Export.objects.count() == 2


def test_one_that_can_not_be_begun_keeps_no_other_waiting(owner, clock, monkeypatch, caplog):
    bad, good = made(owner), made(owner, name="good")
    real = schedules.next_slot
    monkeypatch.setattr(
        schedules,
        "next_slot",
        lambda weekdays, at, after: real(weekdays, at, after=after) if weekdays != "3" else next(iter(())),
    )
    ScheduledExport.objects.filter(pk=bad.pk).update(weekdays="3")
    pass_time(clock, "2023-09-21 08:00:00")
    assert Export.objects.get().schedule == good
    assert f"scheduled export {bad.pk}" in caplog.text


def test_a_crowd_of_slots_is_begun_in_parts_and_queued_once(owner, clock, monkeypatch):
    monkeypatch.setattr(schedules, "MAX_AT_ONCE", 2)
    view = make.SavedViewFactory(owner=owner.person, query="state__exact=held", columns=["number"])
    for _ in range(3):
        make.ScheduledExportFactory(owner=owner.person, view=view)
    OrmQ.objects.all().delete()
    clock.move_to(shanghai("2023-09-21 20:00:00"))
    assert len(begin_due_exports(now=timezone.now())) == 2
    assert OrmQ.objects.count() == 1
    assert len(begin_due_exports(now=timezone.now())) == 1
    first, *_others = Export.objects.order_by("pk")
    OrmQ.objects.all().delete()
    tasks.export(first.pk)
    assert OrmQ.objects.count() == 1


def test_a_clerk_s_own_export_goes_before_scheduled_ones(owner, clock):
    made(owner)
    clock.move_to(shanghai("2023-09-21 08:00:00"))
    begin_due_exports(now=timezone.now())
    scheduled = Export.objects.get()
    own = make.ExportFactory(by=f"staff:{owner.person.username}", state="waiting", created_at=timezone.now())
    assert (exports.waiting_before(own), exports.waiting_before(scheduled)) == (0, 1)
    OrmQ.objects.all().delete()
    queue_next(Export, before=timezone.now())
    [queued] = OrmQ.objects.all()
    assert queued.task["args"] == (own.pk,)


# --- `today` and the like mean the day of the slot, however late the sweep and the worker run


@pytest.fixture
def orders():
    """Makes an order at noon of each day. Returns {day: number of its order}."""
    days = ["2023-09-20", "2023-09-21", "2023-09-22", "2023-09-23", "2023-09-24", "2023-09-25"]
    return {day: make.OrderFactory(received_at=shanghai(f"{day} 12:00:00")).number for day in days}


def of_today(owner, **more):
    view = make.SavedViewFactory(owner=owner.person, query="received=today", columns=["number"])
    return made(owner, view=view, **more)


def told(owner, **which):
    export = Export.objects.filter(**which).latest("pk")
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
    assert told(owner, slot=None) == [orders["2023-09-22"]]
