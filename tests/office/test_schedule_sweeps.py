"""The sweep begins scheduled exports: in parts, one after another, whatever the clock and a single row do."""

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from orders.office.exports import service as exports
from orders.office.exports.models import Export
from orders.office.jobs import queue_next
from orders.office.schedules import service as schedules
from orders.office.schedules.models import ScheduledExport
from orders.office.schedules.service import begin_due_exports
from tests import factories as make
from tests.conftest import shanghai
from tests.office.scheduling import made, pass_time

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock", "site")]
# The clock stands at Wednesday 2023-09-20 18:54:36.


def test_a_clock_that_was_years_ahead_silences_nothing(clock, row):
    pass_time(clock, "2031-01-01 00:00:00")
    pass_time(clock, "2023-09-22 07:00:00")
    row.refresh_from_db()
    assert row.next_run_at == shanghai("2023-09-22 08:00:00")
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
