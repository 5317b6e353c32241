"""Withdrawals of activations, and messages that come before and after them (contract 3.10)."""

import pytest
from django.core.management import call_command
from django.utils import timezone

from orders.actions.run_action import confirm_second
from orders.intake.replan_held_orders import proceed
from orders.models import AskedAct, TrialClaim
from orders.rules.four_eyes_acts import ACTS
from orders.sending.resend import Selection, judge_selection
from orders.texts.errors import NotAllowedError
from tests.admin.orders import staff
from tests.flows.conftest import BILLING, BPM, DELETE, QUERY
from tests.flows.contents import activation, trial, withdrawal

A, B, X = "a.example.com", "b.example.com", "x.example.com"
FILE = "A1_50004020027_20230920185436.xlsx"  # the directory of files does not have this file


def failed_on_its_day(desk):
    desk.play(trial("T1", A), activation("A1", start="20230921"))
    desk.sandbox.fault(path=BILLING, kind="refusal", count=2)  # twice, because a refused cancel goes out once more
    desk.sweep("2023-09-21 00:00:00")


def compensated(desk):
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.play(activation("A1"))


def stuck(desk):
    desk.sandbox.fault(path=DELETE, kind="503")
    compensated(desk)


def rejected(desk):
    desk.play(trial("T1", A), activation("A1"))
    desk.decided("A1", "reject")


def retrying(desk):
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=BPM, kind="503")
    desk.play(activation("A1"))


def approved(desk):
    desk.play(trial("T1", A), activation("A0"), activation("A1", X))
    desk.decided("A1")


SITUATIONS = {
    "held for its trial": (lambda desk: desk.play(activation("A1")), "held", 0),
    "held for its files": (lambda desk: desk.play(trial("T1", A), activation("A1", InfoSecurity=FILE)), "held", 0),
    "nothing sent": (lambda desk: (desk.play(trial("T1", A)), desk.post(activation("A1"))), "in_progress", 0),
    "BPM being tried again": (retrying, "in_progress", 1),
    "awaiting approval": (
        lambda desk: desk.play(trial("T1", A), activation("A0"), activation("A1", X)),
        "awaiting_approval",
        0,
    ),
    "approved and billed": (approved, "active", 1),
    "scheduled": (lambda desk: desk.play(trial("T1", A), activation("A1", start="20230930")), "scheduled", 1),
    "active": (lambda desk: desk.play(trial("T1", A), activation("A1")), "active", 1),
    "failed on its start day": (failed_on_its_day, "failed", 1),
    "compensated": (compensated, "failed", 1),
    "compensating": (stuck, "compensating", 1),
    "rejected": (rejected, "rejected", 1),
}


def test_bboss_s_own_withdrawal_asks_no_second_person(desk, settings):
    """Contract 3.11: BBOSS's withdrawal needs no second person, even if staff's withdrawals do. A request by staff
    about the same order can't be confirmed afterwards."""
    settings.FOUR_EYES = dict.fromkeys(ACTS, 0)
    desk.play(trial("T1", A), activation("A1"))
    staff("withdraw_order", name="li")
    with pytest.raises(SystemExit):
        call_command("withdraw", "A1", reason="x", by="li")
    assert desk.state("A1") == "active"
    desk.play(withdrawal("A1"))
    assert (desk.state("A1"), desk.alive_there("A1")) == ("withdrawn", [])
    row = AskedAct.objects.get()
    with pytest.raises(NotAllowedError):
        confirm_second(row, judge=staff("confirm_act", name="wang"), last_event_id=10**9, digest="", now=timezone.now())
    desk.play(trial("T2", X), withdrawal("T2"))
    assert (desk.state("T2"), AskedAct.objects.count()) == ("withdrawn", 1)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_an_activation_is_withdrawn_in_every_state(desk, situation):
    """Contract 3.10: a withdrawal stops the forward steps, removes the schedule, and compensates what was sent."""
    arrange, state, deletions = SITUATIONS[situation]
    arrange(desk)
    assert desk.state("A1") == state
    desk.play(withdrawal("A1"))
    desk.wait_out()
    assert desk.state("A1") == "withdrawn"
    # in `compensating` the deletion is sent again under the same key
    assert len(desk.sent(DELETE)) == deletions + (situation == "compensating")
    assert (desk.alive_there("A1"), desk.troubles("A1")) == ([], [])
    assert desk.standing("A1")["schedule"] is None
    assert not TrialClaim.objects.filter(activation__number="A1", released_at=None).exists()
    calls = len(desk.sandbox.calls())
    desk.sweep("2023-10-01 08:00:00")
    assert (desk.state("A1"), len(desk.sandbox.calls())) == ("withdrawn", calls)


@pytest.mark.parametrize("situation", ["nothing sent", "scheduled", "active", "failed on its start day"])
def test_the_trial_of_a_withdrawn_first_activation_runs_on(desk, situation):
    """Contract 3.10: after the withdrawal of its first activation the trial is `trialing` again, unless the trial has
    ended."""
    SITUATIONS[situation][0](desk)
    desk.play(withdrawal("A1"))
    assert (desk.state("T1"), desk.alive_there("T1")) == ("trialing", [A])
    desk.play(activation("A2"))
    assert (desk.state("A2"), desk.order("A2").first) == ("active", True)


def test_a_second_first_activation_is_a_subsequent_one(desk):
    """Contract 3.10 and 3.9 (1): an activation of a trial with a claim is subsequent, and stays subsequent after the
    first activation is withdrawn."""
    desk.play(trial("T1", A), activation("A1"), activation("A2", X))
    assert desk.order("A2").first is False
    desk.play(withdrawal("A1"))
    assert desk.order("A2").first is False
    assert desk.state("A2") == "awaiting_approval"
    desk.decided("A2")
    assert (desk.alive_there("A2"), desk.state("T1")) == ([X], "trialing")


def test_again_it_answers_with_the_withdrawals_first_number(desk, trialing):
    """Contract 3.10: the same withdrawal again is answered with the first withdrawal's transIDH."""
    original = desk.post(activation("A1"))["transIDH"]
    first = desk.post(withdrawal("A1", BizStart="99999999", ProvContent="?", OrderType="1", BusinessType=7))["transIDH"]
    assert (first != original, desk.state("A1")) == (True, "withdrawn")  # of a withdrawal only the number is looked at
    assert desk.post(withdrawal("A1"))["transIDH"] == first
    assert desk.post(withdrawal("A1", BizRequest="whatever"))["transIDH"] == first
    desk.deliver()
    assert desk.post(withdrawal("A1"))["transIDH"] == first
    assert len(desk.events("A1", "withdrawn")) == 1


def test_the_original_message_after_its_withdrawal_changes_nothing(desk, trialing):
    """Contract 3.10: the original message after its withdrawal is answered 00000 with its first transIDH. The order
    stays withdrawn, and staff can't resend it either."""
    original = desk.post(activation("A1"))["transIDH"]
    desk.deliver()
    desk.play(withdrawal("A1"))
    calls = len(desk.sandbox.calls())
    assert desk.post(activation("A1"))["transIDH"] == original
    desk.sweep()
    assert (desk.state("A1"), len(desk.sandbox.calls())) == ("withdrawn", calls)
    assert [row.sends for row in judge_selection(Selection(numbers=("A1",)))] == [False]


def test_the_withdrawals_transido_with_other_content_is_a_repeat_call(desk):
    desk.play(trial("T1", A), activation("A1"), activation("A2", X))
    desk.post(withdrawal("A1"), trans_ido="w" * 32)
    assert desk.refused(withdrawal("A2"), trans_ido="w" * 32) == ("20002", "")
    assert desk.state("A2") == "awaiting_approval"


def test_an_unknown_number_is_3004(desk):
    assert desk.refused(withdrawal("A1")) == ("30000", "3004")
    desk.play(trial("T1", A), activation("A1"))  # the order may arrive after the refused withdrawal
    assert desk.state("A1") == "active"


@pytest.mark.parametrize(
    "result, undone", [("ok", ["delete", "create"]), ("retry", ["create", "delete", "create"]), ("refused", ["create"])]
)
def test_with_a_call_in_the_air_it_waits_for_the_answer(desk, result, undone, trialing):
    """Contract 3.9 (5): a call of unknown outcome is repeated under the same key, and only then are records deleted.
    Contract 3.9 (6): only unknown records are queried again, so after a definite answer the withdrawal ends at once.
    """
    desk.post(activation("A1"))
    for work in desk.claim():
        desk.end(work)
    [create] = desk.claim()
    desk.play(withdrawal("A1"))
    before = len(desk.billed())
    assert desk.state("A1") == "compensating"
    desk.end(create, result, code="" if result == "ok" else "x")
    desk.deliver()
    assert (desk.state("A1") == "withdrawn") == (result != "retry")
    desk.wait_out()
    assert (desk.sent(QUERY) == []) == (result != "retry")
    assert [row[0] for row in desk.billed()[before:]] == undone
    assert (desk.state("A1"), desk.state("T1")) == ("withdrawn", "trialing")
    assert (desk.alive_there("A1"), desk.alive_there("T1"), desk.troubles("A1")) == ([], [A], [])


def test_only_an_uncertain_create_is_looked_for_after_its_deletion(desk, settings):
    """Contract 3.9 (6): the unknown outcome of the trial's cancel does not make the commercial record unknown. So only
    the trial's records are queried after the withdrawal."""
    settings.DISPATCH_RETRY_SECONDS = []
    desk.play(trial("T1", A), activation("A1", start="20230930"))
    desk.sandbox.fault(path=BILLING, kind="503")
    desk.sweep("2023-09-30 00:00:00")
    assert desk.step("A1", "cancel_trial_billing").state == "failed"
    desk.play(withdrawal("A1"))
    assert desk.step("A1", "verify_deleted", undo=True) is None
    assert (desk.state("A1"), desk.records("A1"), desk.alive_there("T1")) == ("compensating", {A: "deleted"}, [A])
    desk.wait_out()  # the cancel may still act for ten minutes, so the trial's records are queried
    assert desk.sent(QUERY) == [{"jobId": "T1"}] * 2
    assert (desk.state("A1"), desk.records("A1"), desk.alive_there("T1")) == ("withdrawn", {A: "deleted"}, [A])


def test_the_deletions_of_different_orders_do_not_wait_for_each_other(desk):
    desk.play(trial("T1", A), activation("A1"), trial("T2", B), activation("A2", of="T2"))
    desk.sandbox.fault(path=DELETE, kind="refusal")
    desk.play(withdrawal("A1"), withdrawal("A2"))
    assert (desk.state("A1"), desk.state("A2"), desk.alive_there("A2")) == ("compensating", "withdrawn", [])


def test_records_that_never_went_out_are_not_to_be_sent_any_more(desk):
    numbers = ("A2", "A3", "T3")
    desk.play(trial("T1"), activation("A1"), activation("A2", "c.example.com"))  # A2 waits for BPM's decision
    for content in (trial("T2"), activation("A3", of="T2"), trial("T3"), *map(withdrawal, numbers)):
        desk.post(content)
    desk.deliver()
    for number in numbers:
        assert desk.state(number) == "withdrawn"
        assert {row["state"] for row in desk.standing(number)["billing"]} == {"deleted"}
    desk.wait_out()


def test_a_withdrawn_trial_has_nothing_to_send_though_an_activation_of_it_came_and_went(desk):
    desk.post(trial("T1"))
    desk.play(withdrawal("T1"), activation("A1"))
    desk.staff(proceed, "A1")
    assert desk.state("A1") == "active"
    desk.play(withdrawal("A1"))
    assert (desk.state("A1"), desk.records("T1")) == ("withdrawn", {"a.example.com": "deleted"})
