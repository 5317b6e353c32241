"""The step of a start day becomes due once, whichever trigger notices the day first (contract 3.9 (9) One trigger)."""

from contextlib import suppress
from itertools import permutations

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from orders.activation import run_job
from orders.models import Attempt, Dispatch
from orders.outbox.release_steps import release
from orders.start_day.start_day import activate
from tests.flows.contents import activation, trial, withdrawal

A, X = "a.example.com", "x.example.com"
START = "2023-09-30 00:00:00"


def by_schedule(desk):
    run_job("A1")


def by_sweep(desk):
    activate(numbers=None, by="sweep", now=timezone.now())
    release(now=timezone.now())


def by_command(desk):
    with suppress(CommandError):  # the order is not started if another trigger was quicker
        call_command("activate", "A1")


TRIGGERS = [by_schedule, by_sweep, by_command]


@pytest.fixture
def scheduled(desk):
    desk.play(trial("T1", A), activation("A1", start="20230930"))
    assert desk.state("A1") == "scheduled"
    return desk


@pytest.mark.parametrize(
    "order",
    [[*order] for order in permutations(TRIGGERS)],
    ids=lambda row: "-".join(trigger.__name__[3:] for trigger in row),
)
@pytest.mark.parametrize("deliver_between", [True, False])
def test_schedule_sweep_and_command_in_any_order_make_it_due_once(desk, scheduled, order, deliver_between):
    desk.at(START)
    for trigger in order:
        trigger(desk)
        if deliver_between:
            desk.deliver()
    desk.deliver()
    row = desk.step("A1", "cancel_trial_billing")
    assert (row.state, Attempt.objects.filter(dispatch=row).count()) == ("done", 1)
    assert desk.billed()[2:] == [("cancel", "T1", [A])]
    assert (desk.state("A1"), desk.state("T1")) == ("active", "converted")


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_nothing_starts_before_its_day_nor_with_an_undo_mark(desk, scheduled, trigger):
    desk.at("2023-09-29 23:59:59")
    trigger(desk)
    desk.deliver()
    assert (desk.state("A1"), desk.step("A1", "cancel_trial_billing").state) == ("scheduled", "waiting")
    desk.post(withdrawal("A1"))
    desk.at(START)
    trigger(desk)
    desk.deliver()
    assert (desk.state("A1"), desk.alive_there("T1")) == ("withdrawn", [A])


def test_nothing_starts_before_the_steps_in_front_of_it(desk, trialing):
    desk.sandbox.fault(path="/bpm/flows/start", kind="503", retry_after=6 * 3600)
    desk.at("2023-09-29 20:00:00")
    desk.play(activation("A1", start="20230930"))
    desk.at(START)
    for trigger in TRIGGERS:
        trigger(desk)
        desk.deliver()
        assert (desk.state("A1"), desk.step("A1", "cancel_trial_billing").state) == ("in_progress", "waiting")
    desk.wait_out()
    assert (desk.state("A1"), desk.state("T1")) == ("active", "converted")


def test_an_order_without_a_step_on_its_day_becomes_live_once(desk):
    desk.play(trial("T1", A), activation("A0"), activation("A1", X, start="20230930"))
    desk.decided("A1")
    desk.at(START)
    assert activate(numbers=None, by="sweep", now=timezone.now()) == ["A1"]
    assert activate(numbers=["A1"], by="sweep", now=timezone.now()) == []
    assert [event["new"] for event in desk.events("A1", "state")][-1] == "active"
    assert desk.order("A1").live_at == timezone.now()


def test_only_what_was_started_is_said_to_be_started(desk, scheduled):
    """Only orders whose step becomes due are reported as started. A2's step does not become due while another step on
    the records of its trial is retried."""
    desk.at("2023-09-29 20:00:00")
    desk.sandbox.fault(path="/bigdata/productInfos", kind="503", retry_after=6 * 3600)
    desk.play(trial("T2", A), activation("A2", of="T2", start="20230930"))
    assert desk.state("A2") == "scheduled"
    desk.at(START)
    assert activate(numbers=None, by="sweep", now=timezone.now()) == ["A1"]
    desk.wait_out()
    assert (desk.state("A1"), desk.state("A2"), desk.state("T2")) == ("active", "active", "converted")


def test_an_order_whose_step_failed_on_its_day_is_not_started_again(desk, scheduled):
    # twice, because a refused cancel goes out once more
    desk.sandbox.fault(path="/bigdata/productInfos", kind="refusal", count=2)
    desk.sweep(START)
    assert desk.state("A1") == "failed"
    desk.sweep()
    assert len(desk.billed()) == 4


def test_a_sweep_takes_so_many_steps_and_others_the_next_time(desk, monkeypatch):
    """A sweep makes only a limited number of steps due, and later sweeps the others. So a sweep's time does not grow
    with the waiting steps, and no step is forgotten."""
    monkeypatch.setattr("orders.outbox.release_steps.STEPS_AT_ONCE", 2)
    monkeypatch.setattr("orders.outbox.release_steps.STEPS_A_QUERY", 1)
    desk.play(*(trial(f"T{number}", f"{number}.example.com") for number in range(5)))
    missed = Dispatch.objects.filter(step="create_trial_billing")
    seen = set()
    for _ in range(50):
        missed.update(state="waiting", next_try_at=None)
        assert release(now=timezone.now()) == 2
        seen |= set(missed.filter(state="due").values_list("pk", flat=True))
    assert len(seen) == 5
