"""A step whose worker dies is not tried for ever, and does not stop other steps (contract 3.5)."""

import threading

import pytest
from django.core.management import call_command
from django.utils import timezone

from integrations.delivery import loop
from orders.models import Attempt, Dispatch
from tests.flows.conftest import BILLING
from tests.flows.contents import activation, trial

STEP = "create_trial_billing"


def lose(desk, *works):
    """The worker that claimed these steps dies, so that their leases run out."""
    assert works
    desk.clock.shift(61)


def lost(desk, number: str, step: str = STEP) -> int:
    return desk.step(number, step).lost


def test_after_a_loss_a_step_is_claimed_alone(desk):
    for number in ("T1", "T2", "T3"):
        desk.post(trial(number))
    lose(desk, *desk.claim())
    desk.post(trial("T4"))
    assert [work.dispatch_id for work in desk.claim(idle=False)] == [desk.step("T4", STEP).pk]
    for number in ("T1", "T2", "T3"):
        [work] = desk.claim()
        assert (work.dispatch_id, work.alone, lost(desk, number)) == (desk.step(number, STEP).pk, True, 1)
    assert desk.claim() == []


def test_what_is_due_goes_first_where_the_worker_says_so(desk):
    desk.post(trial("T1"))
    lose(desk, *desk.claim())
    desk.post(trial("T2"))
    assert [work.dispatch_id for work in desk.claim(lost_first=False)] == [desk.step("T2", STEP).pk]
    assert [work.dispatch_id for work in desk.claim(lost_first=False)] == [desk.step("T1", STEP).pk]


@pytest.mark.parametrize("result", ["retry", "ok"])
def test_an_outcome_ends_the_counting(desk, result):
    desk.post(trial("T1"))
    lose(desk, *desk.claim())
    [work] = desk.claim()
    assert lost(desk, "T1") == 1
    desk.end(work, result, code="timeout" if result == "retry" else "")
    assert lost(desk, "T1") == 0
    desk.clock.shift(60)
    assert [work.alone for work in desk.claim(idle=False)] == ([False] if result == "retry" else [])


def test_what_is_handed_back_has_shown_nothing(desk):
    desk.post(trial("T1"))
    lose(desk, *desk.claim())
    [work] = desk.claim()
    desk.end(work, "handed_back")
    assert lost(desk, "T1") == 1
    assert desk.claim(idle=False) == []
    [work] = desk.claim()
    assert (work.alone, lost(desk, "T1")) == (True, 1)


def test_five_losses_alone_are_an_incident(desk):
    desk.post(trial("T1"))
    desk.post(trial("T2"))
    first, second = desk.claim()
    desk.end(second)
    lose(desk, first)
    for _ in range(5):
        lose(desk, *desk.claim())
    assert desk.claim() == []
    row = desk.step("T1", STEP)
    assert (row.state, row.error_code, row.definite, row.may_have_acted, row.attempts) == (
        "failed",
        "lost",
        False,
        True,
        6,
    )
    assert set(Attempt.objects.filter(dispatch=row).values_list("outcome", flat=True)) == {"lost"}
    assert (desk.state("T1"), desk.troubles("T1"), desk.records("T1")) == (
        "failed",
        ["lost"],
        {"a.example.com": "unknown"},
    )
    assert (desk.state("T2"), desk.events("T1", "late_answer")) == ("trialing", [])


@pytest.mark.parametrize("step", ["create_billing", "cancel_trial_billing", "start_bpm"])
def test_nothing_is_compensated_for_it(desk, step, trialing):
    desk.post(activation("A1"))
    while not Dispatch.objects.filter(step=step, state="due").exists():
        for work in desk.claim("bigdata", "bpm"):
            desk.end(work)
    for _ in range(6):
        for work in desk.claim("bigdata", "bpm"):
            if work.step != step:
                desk.end(work)
        desk.clock.shift(61)
    assert (desk.claim("bigdata", "bpm"), desk.step("A1", step).error_code) == ([], "lost")
    assert (desk.state("A1"), desk.order("A1").undo_since, desk.troubles("A1")) == ("failed", None, ["lost"])


def test_it_can_be_sent_again_under_its_key(desk):
    """The step's worker has died six times: once while it sent other steps too, and five times while it sent only this
    step. A resend sends the step again under its key."""
    desk.post(trial("T1"))
    for _ in range(6):
        lose(desk, *desk.claim())
    row = desk.step("T1", STEP)
    assert (row.state, row.lost, row.attempts) == ("sending", 5, 6)
    assert desk.claim() == []
    assert desk.step("T1", STEP).state == "failed"
    call_command("resend", "T1")
    [work] = desk.claim()
    assert (work.key, work.payload, work.alone) == (str(row.key), row.payload, False)
    assert lost(desk, "T1") == 0
    desk.end(work)
    assert (desk.state("T1"), desk.troubles("T1"), desk.records("T1")) == ("trialing", [], {"a.example.com": "live"})


def test_the_losses_of_a_step_that_is_undone_meanwhile(desk, trialing):
    """The order of a billing step is withdrawn after the step lost its worker. The step is still tried until it fails
    as lost, because the withdrawal waits for its outcome."""
    desk.post(activation("A1"))
    while desk.step("A1", "create_billing").state != "due":
        for work in desk.claim():
            desk.end(work)
    lose(desk, *desk.claim())
    desk.post({"OrderNum": "A1", "BackFlag": "1"})
    for _ in range(5):
        lose(desk, *desk.claim())
    desk.claim()
    assert (desk.step("A1", "create_billing").error_code, desk.troubles("A1")) == ("lost", ["lost"])


class Watched:
    """Replaces the sender and notes which calls run at the same time."""

    def __init__(self, really):
        self.really, self.lock = really, threading.Lock()
        self.running, self.seen = set(), []

    def __call__(self, work):
        with self.lock:
            self.running.add(work.dispatch_id)
            self.seen.append((work.dispatch_id, frozenset(self.running)))
        try:
            return self.really(work)
        finally:
            with self.lock:
                self.running.remove(work.dispatch_id)


@pytest.fixture
def watched(monkeypatch):
    watch = Watched(loop.send_step)
    monkeypatch.setattr(loop, "send_step", watch)
    return watch


def test_a_drain_sends_it_alone_and_first(desk, watched):
    """A step that lost a worker may have killed it. So a drain (one run of the sending loop) sends such steps first,
    and no other call runs beside them."""
    for number in range(3):
        desk.post(trial(f"L{number}"))
    lose(desk, *desk.claim())
    for number in range(8):
        desk.post(trial(f"T{number}"))
    desk.sandbox.delay(0.02)
    desk.deliver()
    alone = [desk.step(f"L{number}", STEP).pk for number in range(3)]
    assert [(pk, set(running)) for pk, running in watched.seen[:3]] == [(pk, {pk}) for pk in alone]
    assert all(not running & set(alone) for _, running in watched.seen[3:])
    assert set(Dispatch.objects.values_list("state", "lost")) == {("done", 0)}


def test_a_drain_does_not_keep_others_waiting_for_long(desk, watched, monkeypatch):
    """After a limited time with isolated steps, a drain (one run of the sending loop) first sends the steps that never
    lost a worker. The isolated steps follow when nothing else is due."""
    monkeypatch.setattr(loop, "ISOLATED_FOR", -1.0)
    desk.post(trial("L0"))
    lose(desk, *desk.claim())
    desk.play(trial("T0"))
    assert [pk for pk, _ in watched.seen] == [desk.step("T0", STEP).pk, desk.step("L0", STEP).pk]


def test_a_drain_ends_what_was_lost_too_often(desk):
    desk.post(trial("T1"))
    for _ in range(6):
        lose(desk, *desk.claim())
    desk.play(trial("T2"))
    assert (desk.step("T1", STEP).error_code, desk.state("T2")) == ("lost", "trialing")
    assert [call["body"]["productInfos"][0]["jobId"] for call in desk.sandbox.calls(path=BILLING)] == ["T2"]
    assert Dispatch.objects.filter(state="sending").count() == 0
    assert timezone.now() >= desk.step("T1", STEP).frozen_at
