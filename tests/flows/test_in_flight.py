"""The rows of the table in contract 3.10, each played while a call has no answer yet. Afterwards the call is accepted
or refused, or its outcome is unknown."""

import pytest

from integrations.bboss.order_fields import read_trial
from integrations.delivery.channels import send_step
from orders.intake.receive import enter_order
from tests.flows.conftest import BPM
from tests.flows.contents import activation, change, trial, withdrawal

A, B, X = "a.example.com", "b.example.com", "x.example.com"
ANSWERS = {
    "accepted": {"result": "ok"},
    "unknown": {"result": "retry", "code": "timeout", "unknown": True},
    "refused": {"result": "refused", "code": "code_400"},
}
answers = pytest.mark.parametrize("answer", ANSWERS)


def in_the_air(desk, step: str, *contents: dict, partner: str = "bigdata"):
    """Posts the contents and carries out all steps until this step's call has begun. Returns the work of that call."""
    for content in contents:
        desk.post(content)
    for _ in range(20):
        for work in [*desk.claim("bigdata"), *desk.claim("bpm")]:
            if work.step == step:
                return work
            send_really(desk, work)
    raise AssertionError(f"{step} was never begun")


def send_really(desk, work):
    """Sends the call to the sandbox, so that the sandbox has the records that the desk expects."""
    outcome = send_step(work)
    desk.end(work, outcome.result, data=outcome.data, code=outcome.code)


def answer_now(desk, work, answer: str):
    """Records the call's answer. Unless the answer is a refusal, the call has acted at the partner."""
    if answer != "refused":
        send_step(work)
    desk.end(work, **ANSWERS[answer])
    desk.wait_out()


def assert_nothing_is_left(desk):
    """Checks that both sides have the same live records and that no rule was violated."""
    assert desk.sandbox.state()["violations"] == []
    for number in ("T1", "A1", "A2"):
        ours = [name for name, state in desk.records(number).items() if state == "live"] if desk.knows(number) else []
        assert desk.alive_there(number) == sorted(ours)


@answers
def test_a_change_comes_while_the_claims_call_is_in_the_air(desk, answer, trialing):
    """A change of a trial is held while an activation holds the claim on the trial. If the activation is compensated,
    the change goes on."""
    work = in_the_air(desk, "cancel_trial_billing", activation("A1"))
    desk.post(change("C1", B))
    assert desk.order("C1").held_because == "claim_held"
    answer_now(desk, work, answer)
    assert (desk.state("A1"), desk.state("C1")) == (
        ("failed", "applied") if answer == "refused" else ("active", "held")
    )
    assert desk.alive_there("T1") == ([B] if answer == "refused" else [])
    assert_nothing_is_left(desk)


@answers
def test_a_second_activation_comes_while_the_firsts_call_is_in_the_air(desk, answer, trialing):
    """The second activation of a trial is a subsequent one, and stays so even if the first activation fails."""
    work = in_the_air(desk, "create_billing", activation("A1"))
    desk.post(activation("A2", X))
    assert desk.order("A2").first is False
    answer_now(desk, work, answer)
    assert (desk.state("A1"), desk.state("A2")) == ("failed" if answer == "refused" else "active", "awaiting_approval")
    desk.decided("A2")
    assert (desk.state("A2"), desk.alive_there("A2"), desk.order("A2").first) == ("active", [X], False)
    assert_nothing_is_left(desk)


@pytest.mark.parametrize("follower", [activation("F"), change("F", B)], ids=["activation", "change"])
def test_orders_for_a_trial_whose_withdrawal_is_in_the_air(desk, follower, trialing):
    """While a trial is being withdrawn, a new order for it is held for staff, because the trial stays withdrawn."""
    work = in_the_air(desk, "cancel_trial_billing", withdrawal("T1"))
    desk.post(follower)
    assert desk.order("F").held_because == "trial_closed"
    answer_now(desk, work, "accepted")
    assert (desk.state("T1"), desk.state("F"), desk.alive_there("T1")) == ("withdrawn", "held", [])


@answers
@pytest.mark.parametrize("step", ["cancel_trial_billing", "create_trial_billing"])
def test_a_change_is_withdrawn_while_its_call_is_in_the_air(desk, step, answer, trialing):
    before = desk.held_there("T1")
    desk.clock.shift(60)
    work = in_the_air(desk, step, change("C1", B))
    desk.post(withdrawal("C1"))
    answer_now(desk, work, answer)
    assert (desk.state("C1"), desk.state("T1"), desk.troubles("C1")) == ("withdrawn", "trialing", [])
    assert (desk.alive_there("T1"), desk.held_there("T1")[A]) == ([A], before[A])
    assert_nothing_is_left(desk)


@answers
@pytest.mark.parametrize("step", ["create_billing", "cancel_trial_billing"])
def test_an_activation_is_withdrawn_and_sent_again_while_its_call_is_in_the_air(desk, step, answer, trialing):
    """The same withdrawal again is answered with the withdrawal's first transIDH. The original message again is
    answered with its own first transIDH, and the order stays withdrawn."""
    original = desk.post(activation("A1"))["transIDH"]
    work = in_the_air(desk, step)
    first = desk.post(withdrawal("A1"))["transIDH"]
    assert desk.post(withdrawal("A1"))["transIDH"] == first
    assert desk.post(activation("A1"))["transIDH"] == original
    assert desk.refused(withdrawal("T1")) == ("30000", "3005")
    answer_now(desk, work, answer)
    assert desk.post(withdrawal("A1"))["transIDH"] == first
    assert (desk.state("A1"), desk.state("T1"), desk.troubles("A1")) == ("withdrawn", "trialing", [])
    assert (desk.alive_there("A1"), desk.alive_there("T1")) == ([], [A])
    assert_nothing_is_left(desk)


@answers
def test_bpm_calls_back_for_an_order_that_is_being_withdrawn(desk, answer, trialing):
    """BPM's decision about an order that is being withdrawn is recorded and changes nothing. The answer of the call to
    BPM changes nothing either."""
    work = in_the_air(desk, "start_bpm", activation("A1"))
    desk.post(withdrawal("A1"))
    assert desk.approve("A1", "reject") == 200
    answer_now(desk, work, answer)
    assert (desk.state("A1"), desk.order("A1").decision, desk.troubles("A1")) == ("withdrawn", "", [])
    assert len(desk.events("A1", "approval_ignored")) == 1
    assert len(desk.sent(BPM)) == (answer != "refused")
    assert_nothing_is_left(desk)


@answers
def test_a_reject_comes_while_billing_is_in_the_air(desk, settings, answer):
    """A reject that comes after billing began, without a finished pass before, compensates the order once the billing
    call's outcome is known."""
    settings.SUBSEQUENT_BILLING = "at_once"
    desk.play(trial("T1", A), activation("A1"))
    work = in_the_air(desk, "create_billing", activation("A2", X))
    desk.approve("A2", "reject")
    assert desk.state("A2") == "compensating"
    answer_now(desk, work, answer)
    assert (desk.state("A2"), desk.held_there("A2")) == ("rejected", {})
    assert (desk.state("A1"), desk.alive_there("A1")) == ("active", [A])


@answers
def test_the_other_decision_comes_while_billing_is_in_the_air(desk, answer):
    """A finished pass is followed by a reject while billing is sent. The reject is recorded with an incident, and
    staff decide."""
    desk.play(trial("T1", A), activation("A1"), activation("A2", X))
    desk.approve("A2", "pass", "bpm-1-1")
    work = in_the_air(desk, "create_billing")
    desk.approve("A2", "reject", "bpm-1-2")
    assert (desk.order("A2").decision, desk.troubles("A2")) == ("pass", ["second"])
    answer_now(desk, work, answer)
    assert desk.state("A2") == ("failed" if answer == "refused" else "active")
    assert "second" in desk.troubles("A2")


@answers
def test_bboss_sends_what_staff_entered_while_its_call_is_in_the_air(desk, answer):
    """BBOSS's message for an order that staff entered is accepted. The incident about the different content stays,
    whatever the call's outcome is."""
    content, faults = read_trial(trial("T1", A))
    assert not faults
    enter_order(content, raw=trial("T1", A), by="staff:wang")
    work = in_the_air(desk, "create_trial_billing")
    desk.post(trial("T1", B))
    assert desk.troubles("T1") == ["entered_differs"]
    answer_now(desk, work, answer)
    assert "entered_differs" in desk.troubles("T1")
    assert desk.state("T1") == ("failed" if answer == "refused" else "trialing")
    assert desk.alive_there("T1") == ([] if answer == "refused" else [A])
    assert_nothing_is_left(desk)
