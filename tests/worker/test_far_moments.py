"""Stored times that lie further ahead than anything could have set them are corrected, and missing or sleeping
schedules are restored (contract 3.9)."""

import contextlib
import datetime
import json
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.tasks import async_task

from integrations import tasks
from integrations.models import Breaker, Heartbeat, LeaseLock
from integrations.worker import watchdog
from integrations.worker.heartbeat import beat, last_seen
from integrations.worker.implausible_times import correct_times
from integrations.worker.recurring_schedules import RECURRING, make_schedules, put_schedules_back, sleeping_schedules
from integrations.worker.watchdog import Watchdog
from notifications.models import Mail
from orders.models import Dispatch, OrderEvent
from orders.outbox.retry_schedule import longest_wait
from orders.sending.far_future_times import DUE_AHEAD
from project.observability.desk_snapshot import DeskSnapshot, is_alive
from tests import factories as make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
SECOND, MINUTE, HOUR = (datetime.timedelta(seconds=seconds) for seconds in (1, 60, 3600))
AHEAD = 3 * HOUR


def step(state="due", ahead=AHEAD, **more):
    return make.BpmDispatchFactory(state=state, next_try_at=timezone.now() + ahead, **more)


def ahead_of(row) -> datetime.timedelta:
    row.refresh_from_db()
    return row.next_try_at - timezone.now()


def lease() -> datetime.timedelta:
    return datetime.timedelta(seconds=settings.DISPATCH_LEASE_SECONDS)


@pytest.mark.parametrize(
    ("state", "allowed", "becomes"),
    [("due", DUE_AHEAD, "now"), ("retrying", longest_wait(), "now"), ("sending", 2 * lease() - MINUTE, "a lease")],
)
def test_what_lies_too_far_ahead_is_put_right_and_nothing_else(state, allowed, becomes):
    """Steps and mails with a time that is too far ahead are corrected, and each order's events have the correction."""
    right = {"now": SECOND * 0, "a lease": lease()}[becomes]
    far = [step(state, allowed + 61 * SECOND), make.MailFactory(state=state, next_try_at=timezone.now() + AHEAD * 3)]
    near = step(state, allowed + 59 * SECOND)
    assert correct_times(now=timezone.now()) == 2
    assert [ahead_of(row) for row in far] == [right, right]
    assert ahead_of(near) == allowed + 59 * SECOND
    events = OrderEvent.objects.filter(kind="moment_put_right", actor="system").order_by("pk")
    assert {row.order_id for row in events} == {row.order_id for row in far}
    assert correct_times(now=timezone.now()) == 0


@pytest.mark.parametrize("name", ["frozen_at", "unanswered_at"])
def test_a_try_behind_a_call_of_the_future_is_put_right(name):
    """The retry waits from the time of a call, and a clock that was ahead stored this time in the future. The wait
    itself is not too long, but the retry is set to now."""
    row = step("retrying", AHEAD + 30 * SECOND, **{name: timezone.now() + AHEAD})
    usual = step("retrying", AHEAD, **{name: timezone.now()})
    assert correct_times(now=timezone.now()) == 1
    assert ahead_of(row) == SECOND * 0
    assert row.unanswered_at in {None, timezone.now()}
    assert ahead_of(usual) == AHEAD


def test_a_look_waits_ten_minutes_and_a_start_day_as_long_as_it_takes():
    far = {"state": "waiting", "gate": "start", "next_try_at": None, "not_before": timezone.now() + AHEAD}
    look, day = (
        make.DispatchFactory(step="verify_deleted", **far),
        make.DispatchFactory(step="cancel_trial_billing", **far),
    )
    assert correct_times(now=timezone.now()) == 1
    for row, waits in ((look, 10 * MINUTE), (day, AHEAD)):
        row.refresh_from_db()
        assert row.not_before - timezone.now() == waits


def test_what_belongs_to_no_order_is_put_right_with_one_event():
    far = timezone.now() + AHEAD
    make.HeartbeatFactory(cluster="ahead", seen_at=far)
    make.HeartbeatFactory(cluster="right", seen_at=timezone.now() + 59 * SECOND)
    Breaker.objects.create(partner="bpm", opened_at=timezone.now(), probe_at=far)
    LeaseLock.objects.create(name="linger", holder="0" * 32, until=far)
    export = make.ExportFactory(state="running", leased_until=far, finished_at=None, file="")
    async_task("integrations.tasks.sweep")
    OrmQ.objects.update(lock=far)
    make_schedules()
    assert correct_times(now=timezone.now()) == 5
    assert last_seen("ahead") == timezone.now()
    assert last_seen("right") == timezone.now() + 59 * SECOND
    export.refresh_from_db()
    moments = (Breaker.objects.get().probe_at, LeaseLock.objects.get(name="linger").until, export.leased_until)
    assert {*moments, OrmQ.objects.get().lock} == {timezone.now()}
    event = OrderEvent.objects.get(kind="moments_put_right")
    assert event.data == {"moments": "heartbeat: 1, breaker: 1, leaselock: 1, export: 1, ormq: 1"}


def test_a_sweep_puts_right_what_it_then_delivers(sandbox):
    row = step(ahead=AHEAD)
    tasks.sweep()
    row.refresh_from_db()
    assert row.attempts == 1


def test_a_heartbeat_of_the_future_is_no_sign_of_life_and_the_next_beat_replaces_it():
    make.HeartbeatFactory(cluster="mine", seen_at=timezone.now() + AHEAD)
    assert not is_alive(DeskSnapshot(timezone.now()).heartbeat_age)
    make.HeartbeatFactory(cluster="other", seen_at=timezone.now() - 7 * SECOND)
    assert DeskSnapshot(timezone.now()).heartbeat_age == 7
    beat("mine")
    assert last_seen("mine") == timezone.now()


# --- schedules


def spoil(how: str) -> None:
    sweeps = Schedule.objects.filter(name="desk-sweep")
    if how == "missing":
        sweeps.delete()
    elif how == "asleep":
        sweeps.update(next_run=timezone.now() + AHEAD)
    elif how == "switched off":
        sweeps.update(repeats=0)
    else:
        sweeps.update(cluster="another")


SPOILT = pytest.mark.parametrize("how", ["missing", "asleep", "switched off", "of another cluster"])


@SPOILT
def test_the_watchdog_puts_schedules_back_and_status_says_so(monkeypatch, capsys, how):
    monkeypatch.setattr(watchdog, "close_old_connections", lambda: None)
    make_schedules()
    dog = Watchdog()
    assert dog.ping_in_time() == ""
    assert not OrderEvent.objects.filter(kind="schedules_put_back").exists()
    spoil(how)
    assert "the queue lacks schedules, or they sleep: desk-sweep" in "\n".join(status(capsys)["reasons"])
    assert dog.ping_in_time() == ""
    row = Schedule.objects.get(name="desk-sweep")
    assert (row.func, row.minutes, row.repeats, row.cluster) == ("integrations.tasks.sweep", 1, -1, None)
    assert row.next_run == timezone.now()
    assert OrderEvent.objects.get(kind="schedules_put_back").data == {"names": "desk-sweep"}
    found = status(capsys)
    assert not any("schedules" in reason for reason in found["reasons"])
    assert found["schedules"] == {
        "asleep": [],
        "put_back": [{"at": "2023-09-20T18:54:36+08:00", "names": "desk-sweep"}],
    }


@SPOILT
def test_a_start_puts_them_back_too(monkeypatch, how):
    monkeypatch.setattr(Watchdog, "run", Mock())
    call_command("worker")  # the first worker of a desk creates the schedules
    assert sleeping_schedules(now=timezone.now()) == []
    assert not OrderEvent.objects.exists()
    spoil(how)
    call_command("worker")
    assert sleeping_schedules(now=timezone.now()) == []
    assert OrderEvent.objects.get().kind == "schedules_put_back"
    assert Schedule.objects.count() == len(RECURRING)


def test_no_fault_of_ours_keeps_a_worker_from_starting(monkeypatch, caplog):
    monkeypatch.setattr(Watchdog, "run", run := Mock())
    monkeypatch.setattr("integrations.management.commands.worker.correct_times", Mock(side_effect=ValueError("ours")))
    call_command("worker")
    assert run.called
    assert "were not put right" in caplog.text


def test_nights_are_awake_though_they_lie_far_ahead(clock):
    make_schedules()
    assert sleeping_schedules(now=timezone.now()) == []
    Schedule.objects.filter(name="desk-usage").update(next_run=timezone.now() + 25 * HOUR)
    assert put_schedules_back(now=timezone.now()) == ["desk-usage"]
    assert put_schedules_back(now=timezone.now()) == []


def test_of_two_workers_one_puts_them_back():
    make_schedules()
    LeaseLock.objects.create(name="schedules", holder="0" * 32, until=timezone.now() + SECOND)
    spoil("missing")
    assert put_schedules_back(now=timezone.now()) == []


def status(capsys) -> dict:
    with contextlib.suppress(CommandError):
        call_command("status", "--json")
    return json.loads(capsys.readouterr().out)


def test_only_rows_that_stand_are_left():
    """A step that is done, a step that was replaced and a mail that is done have no time that matters. So they are
    left as they are."""
    step("done", AHEAD)
    step("due", AHEAD, superseded=True)
    make.MailFactory(state=Mail.State.DONE, next_try_at=None)
    assert correct_times(now=timezone.now()) == 0
    assert Dispatch.objects.count() == 2
    assert not Heartbeat.objects.exists()
