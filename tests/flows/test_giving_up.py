"""Giving up a billing step that failed for good (contract 3.9, 13)."""

import pytest
from django.core.management import call_command
from django.utils import timezone

from orders.actions.accept import accept
from orders.actions.take import take
from orders.incidents.incident_handling import resolve_incident
from orders.models import TrialClaim
from orders.replanning.giving_up import give_up
from orders.texts.errors import NotAllowedError
from tests.flows.conftest import BILLING, DELETE, QUERY
from tests.flows.contents import activation, change, trial, withdrawal

A, B, C = "a.example.com", "b.example.com", "c.example.com"
WHO = {"reason": "大数据侧已确认", "by": "command:test"}


def give(desk, number, step=""):
    desk.staff(give_up, number, step=step)


def claims() -> int:
    return TrialClaim.objects.filter(released_at=None).count()


def test_a_refused_trial_no_longer_blocks_what_stands_behind_it(desk):
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(trial("T1", A), change("C1", A, B), activation("A1"))
    assert (desk.state("T1"), desk.state("C1"), desk.state("A1")) == ("failed", "in_progress", "in_progress")
    give(desk, "T1")
    assert desk.steps("T1")[0] == "create_trial_billing:given_up"
    assert (desk.state("T1"), desk.records("T1")[A]) == ("ended", "deleted")
    assert (desk.state("C1"), desk.order("C1").held_because) == ("held", "trial_closed")
    assert (desk.state("A1"), desk.order("A1").held_because) == ("held", "trial_closed")
    assert desk.troubles("T1") == []


def test_a_refused_change_is_withdrawn_and_does_not_count(desk, trialing):
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(change("C1", A, B), activation("A1"))
    assert desk.state("C1") == "failed"
    give(desk, "C1")
    assert desk.state("C1") == "withdrawn"
    assert (desk.state("A1"), desk.alive_there("A1"), desk.alive_there("T1")) == ("active", [A], [])


def test_a_change_is_applied_with_what_it_really_did(desk):
    desk.play(trial("T1", A, B))
    desk.post(change("C1", B, C))
    [work] = desk.claim()
    desk.end(work)  # the cancel did not reach the sandbox, so the next line removes the record there
    desk.sandbox.partners.store.delete_record({"jobId": "T1", "productId": "1", "domain": A})
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.deliver()
    assert desk.state("C1") == "failed"
    give(desk, "C1")
    assert desk.state("C1") == "applied"
    desk.play(activation("A1"))
    assert (desk.state("A1"), desk.alive_there("A1")) == ("active", [B])


def test_what_nobody_knows_is_asked_at_once_and_after_ten_minutes(desk, settings):
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BILLING, kind="reset_after")
    desk.play(trial("T1", A), activation("A1"))
    assert desk.records("T1") == {A: "unknown"}
    give(desk, "T1")
    assert len(desk.sent(QUERY)) == 1
    assert desk.state("A1") == "in_progress"
    desk.sweep(after=601)
    assert len(desk.sent(QUERY)) == 2
    assert (desk.state("T1"), desk.state("A1"), desk.alive_there("A1")) == ("converted", "active", [A])


def test_a_deletion_given_up_ends_the_order_and_keeps_claim_and_incident(desk, active):
    desk.sandbox.fault(path=DELETE, kind="refusal", count=9)
    desk.play(withdrawal("A1"))
    assert desk.state("A1") == "compensating"
    give(desk, "A1")
    desk.wait_out()
    assert (desk.state("A1"), desk.troubles("A1"), claims()) == ("withdrawn", ["billed_not_active"], 1)
    assert desk.alive_there("A1") == [A]
    desk.staff(accept, "A1")
    assert (desk.troubles("A1"), claims(), desk.state("T1"), desk.records("A1")) == ([], 0, "ended", {A: "live"})


def test_a_given_up_deletion_is_over_once_staff_take_books_that_no_longer_hold_its_record(desk, active):
    desk.sandbox.fault(path=DELETE, kind="refusal", count=9)
    desk.play(withdrawal("A1"))
    give(desk, "A1")
    desk.wait_out()
    desk.sandbox.partners.store.delete_record({"jobId": "A1", "productId": "P-A1", "domain": A})
    desk.staff(take, "A1")
    assert (desk.troubles("A1"), claims(), desk.records("A1")) == ([], 0, {A: "deleted"})


def test_a_restore_that_is_refused_for_good_has_an_end(desk, active):
    desk.post(withdrawal("A1"))
    [work] = desk.claim()
    desk.end(work)
    desk.sandbox.partners.store.delete_record({"jobId": "A1", "productId": "P-A1", "domain": A})
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.deliver()
    assert (desk.state("A1"), desk.step("A1", "restore_trial_billing", undo=True).state) == ("compensating", "failed")
    give(desk, "A1")
    assert (desk.state("A1"), desk.state("T1"), claims()) == ("withdrawn", "ended", 0)


def test_the_start_days_cancel_given_up_leaves_an_active_order_with_its_incident_until_the_books_show_it(desk):
    desk.play(trial("T1", A), activation("A1", start="20230921"))
    desk.sandbox.fault(path=BILLING, kind="refusal", count=2)
    desk.sweep("2023-09-21 00:00:05")
    assert desk.state("A1") == "failed"
    give(desk, "A1")
    assert (desk.state("A1"), desk.troubles("A1"), desk.troubles("T1")) == (
        "active",
        ["billed_not_active"],
        ["billed_not_active"],
    )
    record = desk.held_there("T1")[A] | {"cancelStatus": "2", "cancelTime": "20230921080000"}
    desk.sandbox.partners.store.put_record(record)
    call_command("reconcile")
    assert (desk.state("A1"), desk.state("T1"), desk.troubles("A1")) == ("active", "converted", [])


@pytest.mark.parametrize("by_name", [True, False])
def test_a_given_up_start_days_cancel_can_be_sent_after_all(desk, by_name):
    """The order stays active until the cancel is accepted, also if the cancel is refused once more."""
    desk.play(trial("T1", A), activation("A1", start="20230921"))
    desk.sandbox.fault(path=BILLING, kind="refusal", count=4)
    desk.sweep("2023-09-21 00:00:05")
    give(desk, "A1")
    sent = {call["key"] for call in desk.sandbox.calls(path=BILLING)}
    again = ["A1"] if by_name else ["A1", "--failed", "--channel", "billing"]
    call_command("resend", *again)
    assert desk.state("A1") == "active"
    desk.deliver()
    assert (desk.state("A1"), desk.alive_there("T1")) == ("active", [A])
    assert "billed_not_active" in desk.troubles("T1")
    desk.command("resend", *again)
    assert (desk.state("A1"), desk.state("T1"), desk.alive_there("T1")) == ("active", "converted", [])
    assert (desk.troubles("A1"), desk.troubles("T1")) == ([], [])
    assert desk.sandbox.calls(path=BILLING)[-1]["key"] not in sent


@pytest.mark.parametrize(
    "number, step, why",
    [
        ("T1", "", "no billing step of order T1 has failed for good"),
        ("T1", "start_bpm", "no step start_bpm of order T1"),
    ],
)
def test_it_says_what_it_can_not_give_up(desk, number, step, why, trialing):
    with pytest.raises(NotAllowedError, match=why):
        give_up(number=number, step=step, now=timezone.now(), **WHO)


def test_a_withdrawn_trial_that_was_refused_blocks_nobody(desk):
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(trial("T1", A), activation("A1"))
    desk.refused(withdrawal("T1"))
    desk.play(withdrawal("A1"), withdrawal("T1"))
    assert (desk.state("T1"), desk.state("A1")) == ("withdrawn", "withdrawn")
    assert desk.steps("T1")[0] == "create_trial_billing:closed"


def test_a_given_up_deletion_can_be_sent_after_all(desk, active):
    desk.sandbox.fault(path=DELETE, kind="refusal", count=9)
    desk.play(withdrawal("A1"))
    give(desk, "A1")
    desk.wait_out()
    desk.sandbox.partners.faults.clear()
    call_command("resend", "A1")
    desk.wait_out()
    assert (desk.troubles("A1"), claims(), desk.alive_there("A1"), desk.alive_there("T1")) == ([], 0, [], [A])


def test_a_change_counts_once_its_last_step_has_ended(desk, trialing):
    """C1 replaces the domain a by b. The cancel of a is given up, so a stays live, but the record of b is still
    created. So the trial has both domains, and the activation behind C1 is planned with both."""
    desk.sandbox.fault(path=BILLING, kind="refusal", count=2)
    desk.play(change("C1", B), activation("A1"))
    give(desk, "C1")
    assert (desk.state("C1"), desk.state("A1"), desk.alive_there("A1")) == ("applied", "active", [A, B])
    assert desk.alive_there("T1") == []


def test_an_incident_of_an_unknown_record_is_not_resolved_by_hand(desk, settings):
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BILLING, kind="503")
    desk.play(trial("T1", A))
    [trouble] = desk.order("T1").troubles.all()
    with pytest.raises(NotAllowedError, match="nobody knows"):
        resolve_incident(incident_id=trouble.incident_id, now=timezone.now(), **WHO)
    accept(number="T1", now=timezone.now(), **WHO)
    assert (desk.troubles("T1"), desk.records("T1"), desk.state("T1")) == ([], {A: "deleted"}, "ended")


def test_a_change_that_giving_up_withdrew_is_withdrawn_once(desk, settings, trialing):
    """C1 is already withdrawn, because giving up its step left nothing of it in effect. BBOSS's withdrawal of C1 is
    kept and answered, and there is nothing left to undo."""
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BILLING, kind="503")
    desk.play(change("C1", A, B))
    give(desk, "C1")
    desk.sweep(after=601)
    assert desk.state("C1") == "withdrawn"
    calls = len(desk.billed())
    desk.play(withdrawal("C1"))
    assert desk.order("C1").withdrawal_idh
    assert (desk.state("C1"), len(desk.billed()), desk.alive_there("T1")) == ("withdrawn", calls, [A])


def test_a_question_is_asked_until_it_is_answered(desk, settings):
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BILLING, kind="reset")
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=QUERY, kind="503")
    give(desk, "T1")
    assert "ask_billing:failed" in desk.steps("T1")
    with pytest.raises(NotAllowedError, match="a question has resend"):
        give_up(number="T1", step="", now=timezone.now(), **WHO)
    with pytest.raises(NotAllowedError, match="no step ask_billing"):
        give_up(number="T1", step="ask_billing", now=timezone.now(), **WHO)


def test_an_activation_cancels_what_a_given_up_cancel_left_live(desk, trialing):
    """The change created the record of the new service type, but could not cancel the record of the old one. So both
    records are live until an activation cancels both."""
    desk.sandbox.fault(path=BILLING, kind="refusal", count=2)
    desk.play(change("C1", BusinessType="4"))
    give(desk, "C1", "cancel_trial_billing")
    assert [row["productId"] for row in desk.sandbox.partners.store.records("T1") if row["cancelStatus"] == "1"] == [
        "1",
        "4",
    ]
    assert "billed_not_active" in desk.troubles("C1")
    assert "billed_not_active" in desk.troubles("T1")
    desk.play(activation("A1"))
    assert (desk.state("A1"), desk.alive_there("T1"), desk.alive_there("A1")) == ("active", [], [A])
    assert (desk.troubles("C1"), desk.troubles("T1")) == ([], [])
    assert {row["cancelStatus"] for row in desk.sandbox.partners.store.records("T1")} == {"2"}
