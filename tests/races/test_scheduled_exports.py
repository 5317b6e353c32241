"""Several workers sweep at the same time. Each slot of a scheduled export gives one file and one notice."""

from functools import partial

import pytest
from django.core import mail
from django.utils import timezone

from integrations import tasks
from notifications.models import Mail
from orders.office.exports.models import Export, ScheduledExport
from orders.office.exports.schedules import begin_due_exports, delete_schedule, run_schedule
from tests import factories as make
from tests.mails import send_mails
from tests.races.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def schedule(settings, tmp_path):
    settings.EXPORT_DIR = tmp_path
    owner = make.UserFactory(email="owner@example.com", is_superuser=True)  # a flush removes the roles
    row = make.ScheduledExportFactory(owner=owner, next_run_at=timezone.now())
    row.recipients.add(owner)
    return row


def test_a_slot_is_begun_once(schedule):
    sweep = partial(begin_due_exports, now=timezone.now())
    begun = [row for found in at_once(sweep, sweep, sweep, sweep) for row in found]
    assert [row.pk for row in begun] == [Export.objects.get().pk]
    schedule.refresh_from_db()
    assert schedule.next_run_at > timezone.now()


def test_many_schedules_are_begun_once_each(schedule):
    """Each of several schedules is begun once, and none is left out.

    Workers that select the same rows wait for each other.
    """
    for _ in range(9):
        make.ScheduledExportFactory(owner=schedule.owner, next_run_at=timezone.now())
    sweep = partial(begin_due_exports, now=timezone.now())
    at_once(sweep, sweep, sweep)
    assert sorted(Export.objects.values_list("schedule", flat=True)) == sorted(
        ScheduledExport.objects.values_list("pk", flat=True)
    )


def test_one_file_and_one_notice_whoever_writes(schedule):
    begin_due_exports(now=timezone.now())
    write = partial(tasks.export, Export.objects.get().pk)
    at_once(write, write, write)
    assert (Export.objects.get().state, Mail.objects.count()) == ("done", 1)
    at_once(send_mails, send_mails, send_mails)
    assert len(mail.outbox) == 1
    assert Mail.objects.get().attempts == 1


def test_it_is_run_by_hand_once_at_a_time(schedule):
    def run():
        try:
            return run_schedule(pk=schedule.pk, owner=schedule.owner, by="staff:x", now=timezone.now())
        except Exception as error:
            return error

    answers = at_once(run, run, run)
    assert Export.objects.count() == 1
    assert sorted(getattr(answer, "code", "begun") for answer in answers) == ["begun", "schedule_busy", "schedule_busy"]


def test_one_that_is_deleted_while_it_is_written(schedule):
    """A schedule is deleted while its export is written. No deadlock occurs, because the schedule is locked first."""
    about = {"owner": schedule.owner, "by": "staff:x", "now": timezone.now()}
    row = run_schedule(pk=schedule.pk, **about)
    at_once(partial(tasks.export, row.pk), partial(delete_schedule, pk=schedule.pk, **about))
    row.refresh_from_db()
    assert (row.state, row.schedule) == ("done", None)
