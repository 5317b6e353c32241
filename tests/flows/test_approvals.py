"""The effects of BPM's decisions on an order (contract 3.6; 3.9 (8) Callback before the answer; 3.10)."""

import pytest

from approvals.models import ApprovalRecord
from tests.flows.conftest import BILLING, BPM, DELETE
from tests.flows.contents import activation, trial, withdrawal

A, X = "a.example.com", "x.example.com"


def subsequent(desk):
    """A2 waits for BPM's approval."""
    desk.play(trial("T1", A), activation("A1"), activation("A2", X))
    assert desk.state("A2") == "awaiting_approval"


def sending(desk, number: str = "A2"):
    """Calls BPM for the order without an answer, and returns the work of that call."""
    if number == "A2":
        desk.play(trial("T1", A), activation("A1"))
        desk.post(activation("A2", X))
    else:
        desk.play(trial("T1", A))
        desk.post(activation("A1"))
    return desk.in_the_air()


def records(number: str) -> list[str]:
    rows = ApprovalRecord.objects.filter(order__number=number).order_by("pk")
    return [f"{row.record_id}:{row.result}" for row in rows]


def test_a_pass_lets_billing_go_out_and_the_same_record_again_adds_nothing(desk):
    subsequent(desk)
    assert (desk.approve("A2"), desk.approve("A2")) == (200, 200)
    assert desk.state("A2") == "in_progress"
    desk.deliver()
    assert (desk.state("A2"), desk.alive_there("A2"), desk.mails("A2", "mail_billed")) == ("active", [X], 1)
    assert (desk.order("A2").decision, records("A2")) == ("pass", ["bpm-1-1:pass"])
    assert (len(desk.events("A2", "approval")), desk.troubles("A2")) == (1, [])


def test_a_reject_before_billing_undoes_nothing(desk):
    subsequent(desk)
    desk.decided("A2", "reject", opinion="资料不全")
    assert (desk.state("A2"), desk.sent(DELETE), desk.held_there("A2")) == ("rejected", [], {})
    assert (desk.step("A2", "create_billing").state, desk.mails("A2", "mail_rejected")) == ("closed", 1)
    assert (desk.state("A1"), desk.state("T1")) == ("active", "converted")


@pytest.mark.parametrize("setting", ["at_once", "first"])
def test_a_reject_after_billing_went_out_compensates(desk, settings, setting):
    """Contract 3.10: a finished reject after billing, without a finished pass before it, compensates the order."""
    number = "A1" if setting == "first" else "A2"
    if setting == "at_once":
        settings.SUBSEQUENT_BILLING = "at_once"
        subsequent(desk)
    else:
        desk.play(trial("T1", A), activation("A1"))
    assert desk.alive_there(number)
    assert desk.approve(number, "reject") == 200
    assert desk.state(number) == "compensating"
    desk.deliver()
    assert (desk.state(number), desk.alive_there(number)) == ("rejected", [])
    assert len(desk.sent(DELETE)) == 1
    assert desk.mails(number, "mail_rejected") == 1
    if setting == "first":
        assert (desk.state("T1"), desk.alive_there("T1")) == ("trialing", [A])


def test_a_reject_of_a_scheduled_first_activation_removes_its_schedule(desk):
    desk.play(trial("T1", A), activation("A1", start="20230930"))
    desk.decided("A1", "reject")
    assert (desk.state("A1"), desk.standing("A1")["schedule"]) == ("rejected", None)
    assert (desk.alive_there("A1"), desk.alive_there("T1")) == ([], [A])


@pytest.mark.parametrize("start, state", [("20230920", "active"), ("20230930", "scheduled")])
def test_a_pass_of_a_first_activation_is_recorded_and_changes_nothing(desk, start, state):
    desk.play(trial("T1", A), activation("A1", start=start))
    calls = len(desk.sandbox.calls())
    desk.decided("A1")
    assert (desk.state("A1"), desk.order("A1").decision) == (state, "pass")
    assert len(desk.sandbox.calls()) == calls
    assert desk.troubles("A1") == []


def test_what_is_not_finished_is_only_recorded(desk):
    subsequent(desk)
    for result in ("return", "pass", "reject"):
        desk.decided("A2", result, f"bpm-{result}", finished=False)
        assert (desk.state("A2"), desk.order("A2").decision) == ("awaiting_approval", "")
    assert records("A2") == ["bpm-return:return", "bpm-pass:pass", "bpm-reject:reject"]
    desk.decided("A2", record="bpm-1-2")
    assert desk.state("A2") == "active"


@pytest.mark.parametrize(
    "first, then, code",
    [
        ("pass", "reject", "second"),
        ("pass", "pass", "again"),
        ("reject", "pass", "second"),
        ("reject", "reject", "again"),
    ],
)
def test_the_first_finished_decision_wins(desk, first, then, code):
    """Contract 3.6 and 3.10: finished decisions after the first are recorded with an incident, also after a reject."""
    subsequent(desk)
    desk.decided("A2", first, "bpm-1-1")
    state = desk.state("A2")
    desk.decided("A2", then, "bpm-1-2")
    assert (desk.state("A2"), desk.order("A2").decision) == (state, first)
    assert records("A2") == [f"bpm-1-1:{first}", f"bpm-1-2:{then}"]
    assert (desk.troubles("A2"), desk.mails("A2", "mail_incident")) == ([code], 1)


@pytest.mark.parametrize("late", [False, True])
def test_a_pass_after_a_reject_that_undoes_billing_is_noted(desk, settings, late):
    """The pass may arrive while the records are being deleted, or after that."""
    settings.SUBSEQUENT_BILLING = "at_once"
    subsequent(desk)
    desk.approve("A2", "reject", "bpm-1-1")
    if late:
        desk.deliver()
    desk.decided("A2", "pass", "bpm-1-2")
    assert (desk.state("A2"), desk.alive_there("A2"), desk.troubles("A2")) == ("rejected", [], ["second"])


def test_a_callback_for_a_rejected_order_that_was_withdrawn_changes_nothing(desk):
    subsequent(desk)
    desk.approve("A2", "reject", "bpm-1-1")
    desk.play(withdrawal("A2"))
    desk.decided("A2", "pass", "bpm-1-2")
    assert (desk.state("A2"), desk.troubles("A2")) == ("withdrawn", [])


@pytest.mark.parametrize(
    "late", [{"result": "retry", "code": "timeout", "unknown": True}, {"result": "refused", "code": "code_400"}]
)
@pytest.mark.parametrize("decision, state", [("pass", "active"), ("reject", "rejected")])
def test_a_callback_before_the_answer_settles_the_step(desk, decision, state, late):
    """Contract 3.9 (8): after the callback, a later time-out or refusal of the call is only logged."""
    work = sending(desk)
    assert desk.approve("A2", decision) == 200
    assert desk.step("A2", "start_bpm").state == "done"
    desk.deliver()
    assert desk.state("A2") == state
    desk.end(work, **late)
    desk.deliver()
    assert (desk.state("A2"), desk.step("A2", "start_bpm").state, desk.troubles("A2")) == (state, "done", [])
    assert [event["code"] for event in desk.events("A2", "late_answer")] == [late["code"]]
    assert len(desk.sent(BPM)) == 1  # the one call is A1's: A2's call was recorded by hand


def test_the_process_of_a_late_answer_is_kept(desk):
    work = sending(desk)
    desk.approve("A2")
    desk.end(work, "ok", data={"process": "bpm-9"})
    assert desk.order("A2").bpm_process == "bpm-9"


def test_a_callback_while_bpm_is_being_tried_again_ends_the_trying(desk, trialing):
    desk.sandbox.fault(path=BPM, kind="reset_after")
    desk.play(activation("A1"))
    assert desk.step("A1", "start_bpm").state == "retrying"
    desk.decided("A1")
    assert desk.state("A1") == "active"
    assert not desk.wait()
    assert len(desk.sent(BPM)) == 1


def test_the_last_try_fails_after_a_callback_and_nothing_is_compensated(desk, settings):
    """Contract 3.9 (8): after a callback, the failure of the last try compensates nothing."""
    settings.DISPATCH_RETRY_SECONDS = []
    work = sending(desk, "A1")
    desk.approve("A1")
    desk.end(work, "retry", code="timeout", unknown=True)
    desk.deliver()
    # no call reached the sandbox: all were recorded by hand
    assert (desk.state("A1"), desk.alive_there("A1")) == ("active", [])
    assert desk.events("A1", "undo_mark") == []


@pytest.mark.parametrize("decision, state", [("pass", "active"), ("reject", "rejected")])
def test_a_callback_before_the_step_was_attempted_is_applied_after_it(desk, decision, state, active):
    """Contract 3.9 (8): an early callback is recorded with an incident, and applied once the BPM step is done."""
    desk.post(activation("A2", X))
    assert desk.approve("A2", decision) == 200
    assert (desk.order("A2").decision, desk.troubles("A2")) == ("", ["early"])
    desk.deliver()
    assert (desk.state("A2"), desk.troubles("A2")) == (state, [])
    assert len(desk.sent(BPM)) == 2


def test_of_several_early_decisions_the_first_wins(desk, active):
    desk.post(activation("A2", X))
    desk.approve("A2", "pass", "bpm-1-1")
    desk.decided("A2", "reject", "bpm-1-2")
    assert (desk.state("A2"), desk.order("A2").decision) == ("active", "pass")
    assert desk.troubles("A2") == ["second"]


def test_an_early_decision_wins_over_one_that_comes_while_bpm_is_called(desk, active):
    desk.post(activation("A2", X))
    desk.approve("A2", "pass", "bpm-1-1")
    [work] = desk.claim("bpm")
    desk.approve("A2", "reject", "bpm-1-2")
    assert (desk.order("A2").decision, desk.troubles("A2")) == ("pass", ["second"])
    desk.end(work)
    desk.deliver()
    assert desk.state("A2") == "active"


def test_an_early_decision_of_a_held_order_waits_with_it(desk):
    desk.play(activation("A1"))
    assert desk.approve("A1", "reject") == 200
    assert set(desk.troubles("A1")) == {"trial_unknown", "early"}
    desk.play(trial("T1", A))
    assert (desk.state("A1"), desk.troubles("A1"), desk.state("T1")) == ("rejected", [], "trialing")
    assert desk.alive_there("T1") == [A]


def test_an_early_decision_counts_for_nothing_once_the_order_is_undone(desk, active):
    desk.post(activation("A2", X))
    desk.approve("A2")
    [work] = desk.claim("bpm")
    desk.post(withdrawal("A2"))
    desk.end(work)
    desk.deliver()
    assert (desk.state("A2"), desk.order("A2").decision, desk.held_there("A2")) == ("withdrawn", "", {})


@pytest.mark.parametrize("decision", ["pass", "reject"])
@pytest.mark.parametrize("how", ["withdrawn", "failed", "compensating"])
def test_a_callback_for_a_withdrawn_or_compensated_order_changes_nothing(desk, how, decision, trialing):
    """Contract 3.10: the callback is recorded and changes nothing."""
    if how != "withdrawn":
        desk.sandbox.fault(path=BPM, kind="refusal")
    if how == "compensating":
        desk.sandbox.fault(path=DELETE, kind="503")
    desk.play(activation("A1"))
    if how == "withdrawn":
        desk.play(withdrawal("A1"))
    assert desk.state("A1") == how
    before = (desk.steps("A1"), desk.troubles("A1"), len(desk.sandbox.calls()))
    desk.decided("A1", decision)
    assert (desk.state("A1"), desk.order("A1").decision) == (how, "")
    assert (desk.steps("A1"), desk.troubles("A1"), len(desk.sandbox.calls())) == before
    assert records("A1") == [f"bpm-1-1:{decision}"]
    assert len(desk.events("A1", "approval_ignored")) == 1
    assert desk.mails("A1", "mail_rejected") == 0


def test_a_reject_while_billing_is_in_the_air_deletes_what_it_made(desk, settings):
    settings.SUBSEQUENT_BILLING = "at_once"
    desk.play(trial("T1", A), activation("A1"))
    desk.sandbox.fault(path=BILLING, kind="reset_after")
    desk.play(activation("A2", X))
    assert desk.step("A2", "create_billing").state == "retrying"
    desk.decided("A2", "reject")
    assert desk.state("A2") == "compensating"
    desk.wait_out()
    assert (desk.state("A2"), desk.held_there("A2")) == ("rejected", {})


def test_a_decision_about_a_trial_is_recorded_and_changes_nothing(desk, trialing):
    desk.decided("T1", "reject")
    assert (desk.state("T1"), desk.troubles("T1"), records("T1")) == ("trialing", [], ["bpm-1-1:reject"])
    assert len(desk.events("T1", "approval_ignored")) == 1
