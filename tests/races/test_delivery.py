"""Several workers deliver on one database, and messages arrive meanwhile (contract 3.9)."""

import contextlib
import datetime
import io
from functools import partial

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations.delivery.channels import build_payloads, send_step
from integrations.partners.calls import rules_hash
from orders.activation import run_job
from orders.models import Dispatch, Order, OrderEvent, TrialClaim
from orders.outbox import proven_calls
from orders.outbox.outcome import Outcome
from orders.outbox.release_steps import release
from orders.sending.claim import claim
from orders.sending.record import record_outcomes
from orders.sending.trial_traffic import ask_for_usage
from orders.start_day.start_day import activate
from tests import factories
from tests.harness.waiting import until
from tests.processes.orders import activation, trial
from tests.races.conftest import at_once, meanwhile

pytestmark = pytest.mark.django_db(transaction=True)
BILLING, BPM = "/bigdata/productInfos", "/bpm/flows/start"


def test_three_workers_send_each_step_once(desk):
    """Three workers deliver a hundred orders, which are trials and their activations. Each step is sent once."""
    desk.accept(*[make(n) for n in range(50) for make in (trial, activation)])
    at_once(desk.deliver, desk.deliver, desk.deliver)
    desk.deliver()
    assert set(Order.objects.filter(kind="activation").values_list("state", flat=True)) == {"active"}
    assert not Dispatch.objects.exclude(state="done").exists()
    desk.each_was_sent_once()
    assert len(desk.sent(BPM)) == 50
    assert len(desk.sent(BILLING)) == 150


def test_what_people_try_while_workers_deliver_is_sent_once(desk):
    """`partners try --send` claims a step as a worker does, or fails because a worker has claimed the step."""

    def attempt(number):
        with contextlib.suppress(CommandError):
            call_command("partners", "try", "bigdata.post", "--order", number, "--send", stdout=io.StringIO())

    desk.accept(*map(trial, range(6)))
    numbers = Order.objects.values_list("number", flat=True)
    at_once(*[partial(attempt, number) for number in numbers], partial(attempt, numbers[0]), desk.deliver)
    desk.deliver()
    assert len(desk.sent(BILLING)) == 6
    desk.each_was_sent_once()


def test_schedule_sweep_and_command_at_once_send_one_cancel(desk, clock):
    desk.accept(trial(1), activation(1, BizStart="20230930"))
    desk.deliver()
    assert desk.state("100A0001") == "scheduled"
    sent = len(desk.sent(BILLING))
    clock.move_to("2023-09-30T00:00:01+08:00")
    now = timezone.now()
    at_once(
        partial(run_job, "100A0001"),
        partial(run_job, "100A0001"),
        partial(release, now=now),
        partial(activate, numbers=None, by="sweep", now=now),
        partial(activate, numbers=["100A0001"], by="command:activate", now=now),
        desk.deliver,
        desk.deliver,
    )
    at_once(desk.deliver, desk.deliver, desk.deliver)
    assert len(desk.sent(BILLING)) == sent + 1
    assert desk.state("100A0001") == "active"
    assert OrderEvent.objects.filter(order__number="100A0001", kind="state", data__new="active").count() == 1
    desk.each_was_sent_once()


@pytest.fixture
def prove(settings):
    settings.PARTNER_ANSWERS = "prove"
    proven_calls.known.clear()
    proven_calls.free.clear()
    yield
    proven_calls.known.clear()
    proven_calls.free.clear()


def test_one_of_an_unproven_kind_is_in_the_air_in_all_workers(desk, prove):
    desk.accept(*map(trial, range(4)))
    desk.sandbox.fault(path=BILLING, kind="slow", seconds=1)
    with meanwhile(desk.deliver):
        until(lambda: desk.sandbox.calls(path=BILLING))
        at_once(desk.deliver, desk.deliver)
        assert len(desk.sent(BILLING)) <= 1
    desk.deliver()
    assert len(desk.sent(BILLING)) == 4


def test_refusals_are_counted_one_by_one(desk, prove):
    """The first two refusals of a run undo their orders, whoever records them.

    The others undo nothing (contract 7.2).
    """
    desk.accept(*[make(n) for n in range(5) for make in (trial, activation)])
    now, lease = timezone.now(), datetime.timedelta(seconds=300)
    while works := claim(build=build_payloads, rooms={"bigdata": 50}, now=now, lease=lease, worker="w"):
        record_outcomes(list(map(send_step, works)), now=now)
    [first] = claim(build=build_payloads, rooms={"bpm": 1}, now=now, lease=lease, worker="w")
    record_outcomes([Outcome.of(first, "ok", read="success", rules=rules_hash("bpm.start"))], now=now)
    works = [claim(build=build_payloads, rooms={"bpm": 1}, now=now, lease=lease, worker="w")[0] for _ in range(4)]
    refused = {"code": "code_400", "message": "no", "read": "refused"}
    at_once(*[partial(record_outcomes, [Outcome.of(work, "refused", **refused)], now=now) for work in works])
    starts = Dispatch.objects.filter(step="start_bpm")
    assert starts.filter(state="failed", error_code="refusals_in_a_row").count() == 2
    assert starts.filter(order__undo_since__isnull=False).count() == 2


@pytest.mark.parametrize("result, state", [("pass", "active"), ("reject", "rejected")])
def test_a_callback_may_come_before_the_answer(desk, result, state):
    """BPM works on an order and calls back before BPM's answer to the start arrives.

    The callback settles the step. The answer is only logged.
    """
    desk.accept(trial(1), activation(1))
    desk.sandbox.fault(path=BPM, kind="slow", seconds=1.5)
    with meanwhile(desk.deliver):
        until(lambda: desk.sandbox.calls(path=BPM))
        assert desk.approve("100A0001", result).status_code == 200
        assert Dispatch.objects.get(step="start_bpm").state in {"done", "undone"}
    desk.deliver()
    assert desk.state("100A0001") == state
    assert len(desk.sent(BPM)) == 1
    assert OrderEvent.objects.filter(kind="late_answer").count() == 1
    assert live_commercial(desk) == (["100A0001"] if result == "pass" else [])
    assert desk.sandbox.state()["violations"] == []


def live_commercial(desk) -> list[str]:
    """Returns the activations for which the big-data side has a live record."""
    records = desk.sandbox.state()["records"]
    return sorted(row["jobId"] for row in records if row["infoType"] == "2" and row["cancelStatus"] == "1")


def test_a_withdrawal_while_delivery_runs(desk):
    """A withdrawal arrives during a call.

    The call's outcome is recorded and then undone, and the trial is as before.
    """
    desk.accept(trial(1))
    desk.deliver()
    desk.accept(activation(1))
    desk.sandbox.fault(path=BILLING, kind="slow", seconds=1)
    with meanwhile(desk.deliver):
        until(lambda: len(desk.sandbox.calls(path=BILLING)) > 1)
        desk.accept({"OrderNum": "100A0001", "BackFlag": "1"})
    desk.deliver()
    assert desk.state("100A0001") == "withdrawn"
    assert desk.state("100T0001") == "trialing"
    assert live_commercial(desk) == []
    assert not TrialClaim.objects.filter(released_at=None).exists()
    assert desk.sandbox.state()["violations"] == []


@pytest.mark.whole
def test_withdrawals_in_a_storm(desk):
    """Half of thirty activations are withdrawn while three workers deliver and the sweep runs."""
    desk.accept(*[make(n) for n in range(30) for make in (trial, activation)])
    desk.sandbox.delay(0.01)

    def withdraw(part: int):
        for n in range(part, 30, 4):
            desk.accept({"OrderNum": f"100A{n:04d}", "BackFlag": "1"})

    def sweep():
        for _ in range(20):
            release(now=timezone.now())
            activate(numbers=None, by="sweep", now=timezone.now())

    at_once(desk.deliver, desk.deliver, desk.deliver, sweep, partial(withdraw, 0), partial(withdraw, 2))
    desk.deliver()
    look_again_now(desk)
    states = {n: desk.state(f"100A{n:04d}") for n in range(30)}
    assert states == {n: "active" if n % 2 else "withdrawn" for n in range(30)}
    assert live_commercial(desk) == [f"100A{n:04d}" for n in range(1, 30, 2)]
    assert desk.sandbox.state()["violations"] == []


def look_again_now(desk) -> None:
    """Makes the look-ups that wait for ten minutes due now, and delivers them.

    Such a look-up exists if a withdrawal came during a call of its order.
    """
    Dispatch.objects.filter(step="verify_deleted", state="waiting").update(not_before=timezone.now())
    release(now=timezone.now())
    desk.deliver()


def test_approvals_and_subsequent_activations_of_one_trial_at_once(desk):
    """Approvals and subsequent activations of one trial come at the same time. They share the trial's line of steps.

    Nobody waits forever, and each activation is billed once.
    """
    desk.accept(trial(1), activation(1))
    desk.deliver()
    numbers = range(2, 12)
    desk.accept(*[activation(n, trial=1, ProvContent=[{"ProvReq": f"s{n}.example.com"}]) for n in numbers])
    desk.deliver()
    approvals = [partial(desk.approve, f"100A{n:04d}", "pass", f"bpm-{n}") for n in numbers for _ in range(2)]
    answers = at_once(desk.deliver, desk.deliver, *approvals)
    assert {answer.status_code for answer in answers if answer} == {200}
    desk.deliver()
    assert {desk.state(f"100A{n:04d}") for n in numbers} == {"active"}
    desk.each_was_sent_once()


def test_two_who_ask_for_traffic_at_once_ask_once_for_each_trial():
    factories.TrialFactory.create_batch(100, state="trialing")
    ask = partial(ask_for_usage, by="schedule", now=timezone.now())
    assert sum(at_once(ask, ask, ask)) == 100
    assert Dispatch.objects.filter(step="fetch_usage").count() == 100
    assert OrderEvent.objects.filter(kind="usage_asked").count() == 100
