"""The failures that undo an activation, and the order of the undo steps (contract 3.9, rules 4 and 5)."""

import pytest
from django.utils import timezone

from orders.history.order_locks_and_events import lock_order
from orders.models import BillingRecord, Order, TrialClaim
from orders.outbox.enqueue import find_schedule
from orders.undoing.start import begin_undo
from tests.flows.conftest import BILLING, BPM, DELETE, QUERY
from tests.flows.contents import activation, change, trial

A, B, X = "a.example.com", "b.example.com", "x.example.com"
PASSED_BY = {"kind": "slow", "seconds": 0}  # a harmless fault, which lets a call pass
LATER = "20230930"


def fail(desk, path: str, *, after: int = 0, kind: str = "refusal", count: int = 1):
    """Lets the next `after` calls to `path` pass, and then gives `count` calls a fault."""
    if after:
        desk.sandbox.fault(path=path, count=after, **PASSED_BY)
    desk.sandbox.fault(path=path, kind=kind, count=count)


def claimed() -> list[str]:
    return list(TrialClaim.objects.filter(released_at=None).values_list("activation__number", flat=True))


@pytest.mark.parametrize("used_up", [True, False])
@pytest.mark.parametrize(
    "path, after, undone",
    [
        (BILLING, 0, {"refusal": [], "503": [("create", "T1")]}),  # the cancel of the trial's records
        (BILLING, 1, {"refusal": [("create", "T1")], "503": [("delete", "A1"), ("create", "T1")]}),
        (BPM, 0, {"refusal": [("delete", "A1"), ("create", "T1")], "429": [("delete", "A1"), ("create", "T1")]}),
    ],
    ids=["cancel", "create", "bpm"],
)
def test_an_activations_cancel_create_and_bpm_step_compensate(desk, settings, path, after, undone, used_up, trialing):
    """Contract 3.9 (4), Compensation's reach: an activation is compensated if its cancel of the trial's records, its
    create or its BPM step is refused or has used up its retries. A refused cancel of a live record goes out once more
    (19). A BPM start counts as used up only if BPM has not begun a process (7.2)."""
    settings.DISPATCH_RETRY_SECONDS = [30]
    kind = ("429" if path == BPM else "503") if used_up else "refusal"
    twice = used_up or (path, after) == (BILLING, 0)
    fail(desk, path, after=after, kind=kind, count=2 if twice else 1)
    desk.play(activation("A1"))
    tried = 1 + after if path == BILLING else 2
    desk.wait_out()
    tried += 1 if path == BILLING and twice else 0
    assert [row[:2] for row in desk.billed()][1 + tried :] == undone[kind]
    assert desk.state("A1") == "failed"
    assert desk.troubles("A1") == [f"http_{kind}" if used_up else "code_400"]
    assert (desk.alive_there("T1"), desk.alive_there("A1")) == ([A], [])
    assert (desk.state("T1"), claimed()) == ("trialing", [])
    assert not BillingRecord.objects.filter(state="unknown").exists()


@pytest.mark.parametrize("content, refused", [(trial("F", B), 1), (change("F", B), 2)], ids=["trial", "change"])
def test_a_trial_or_change_that_fails_is_not_compensated(desk, content, refused, trialing):
    """Contract 3.9 (4): only an activation's failure is compensated. The change's refused cancel goes out once more
    (19)."""
    fail(desk, BILLING, count=refused)
    desk.play(content)
    assert (desk.state("F"), desk.events("F", "undo_mark")) == ("failed", [])
    assert desk.mails("F", "mail_incident") == 1
    assert len(desk.billed()) == 1 + refused
    assert not desk.wait()


@pytest.mark.parametrize("kind", ["refusal", "503"])
def test_the_cancel_on_the_start_day_only_opens_an_incident(desk, settings, kind):
    """Contract 3.9 (4): a failed cancel on the start day does not compensate the activation."""
    settings.DISPATCH_RETRY_SECONDS = [30]
    desk.play(trial("T1", A), activation("A1", start=LATER))
    fail(desk, BILLING, kind=kind, count=2)
    desk.sweep("2023-09-30 00:00:00")
    desk.wait_out()
    assert (desk.state("A1"), len(desk.troubles("A1"))) == ("failed", 1)
    assert desk.alive_there("A1") == [A]
    assert claimed() == ["A1"]
    desk.sandbox.partners.faults.clear()
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.troubles("A1"), desk.state("T1")) == ("active", [], "converted")


def test_the_undoing_deletes_first_and_then_restores_the_trials_record_as_it_was(desk):
    """Contract 3.9 (5), Compensation's order: the restored trial records have the same createTime and cancelTime as
    before."""
    desk.play(trial("T1", A, B, BizEnd="20231231"))
    before = desk.held_there("T1")
    desk.clock.shift(3600)
    fail(desk, BPM)
    desk.play(activation("A1"))
    assert desk.billed()[3:] == [("delete", "A1", [A, B]), ("create", "T1", [A, B])]
    assert (desk.held_there("T1"), desk.held_there("A1")) == (before, {})
    assert desk.sent(DELETE)[0]["productInfos"][0] == {
        "jobId": "A1",
        "productId": "P-A1",
        "domain": A,
        "enterpriseId": "100A23100079275183",
        "infoType": "2",
    }
    assert (desk.records("T1"), desk.records("A1")) == ({A: "live", B: "live"}, {A: "deleted", B: "deleted"})
    assert not BillingRecord.objects.exclude(cancelled_at=None).exists()


def test_steps_never_begun_are_closed_and_billing_steps_are_undone(desk, trialing):
    """Contract 3.9 (5): an undoing closes the steps that never began, and undoes the billing steps."""
    fail(desk, BPM)
    desk.play(activation("A1"))
    assert desk.steps("A1") == [
        "fetch_usage:done",
        "cancel_trial_billing:undone",
        "create_billing:undone",
        "start_bpm:failed",
        "delete_billing:done",
        "restore_trial_billing:done",
    ]
    assert (desk.mails("A1", "mail_sent_to_bpm"), desk.mails("A1", "mail_incident")) == (0, 1)


def test_what_was_never_made_is_not_deleted(desk, trialing):
    fail(desk, BILLING, after=1)
    desk.play(activation("A1"))
    assert (desk.sent(DELETE), desk.records("A1")) == ([], {A: "deleted"})
    assert desk.steps("A1")[1:] == [
        "cancel_trial_billing:undone",
        "create_billing:failed",
        "start_bpm:closed",
        "restore_trial_billing:done",
    ]


def test_the_trials_record_is_not_restored_when_its_end_has_passed(desk, settings):
    """Contract 3.9 (5): the trial's records are not restored once BizEnd has passed. Contract 3.10: the trial has then
    ended."""
    settings.DISPATCH_RETRY_SECONDS = [30]
    desk.play(trial("T1", A, BizEnd="20230920"))
    desk.sandbox.fault(path=BPM, kind="429", count=1, retry_after=6 * 3600)
    desk.sandbox.fault(path=BPM, kind="429", count=1)
    desk.play(activation("A1"))
    assert desk.state("T1") == "converted"
    desk.wait_out()
    assert desk.billed()[-1] == ("delete", "A1", [A])
    assert (desk.state("A1"), desk.state("T1"), claimed()) == ("failed", "ended", [])


def test_a_later_start_that_fails_loses_its_schedule_and_the_trial_was_never_touched(desk, trialing):
    desk.post(activation("A1", start=LATER))
    assert find_schedule(desk.order("A1"))
    fail(desk, BPM)
    desk.deliver()
    assert desk.state("A1") == "failed"
    assert desk.standing("A1")["schedule"] is None
    assert desk.billed()[1:] == [("create", "A1", [A]), ("delete", "A1", [A])]
    assert desk.step("A1", "cancel_trial_billing").state == "closed"
    desk.sweep("2023-09-30 08:00:00")
    assert (desk.alive_there("T1"), desk.state("A1")) == ([A], "failed")


@pytest.mark.parametrize("kind, undone", [("refusal", []), ("503", [("delete", "A2")])])
def test_a_subsequent_activations_billing_after_approval_compensates_too(desk, settings, kind, undone):
    settings.DISPATCH_RETRY_SECONDS = [30]
    desk.play(trial("T1", A), activation("A1"), activation("A2", X))
    before = len(desk.billed())
    fail(desk, BILLING, kind=kind, count=1 if kind == "refusal" else 2)
    desk.approve("A2")
    desk.wait_out()
    assert desk.state("A2") == "failed"
    assert [row[:2] for row in desk.billed()[before:] if row[0] != "create"] == undone
    assert (desk.state("A1"), desk.state("T1"), claimed()) == ("active", "converted", ["A1"])


def test_a_subsequent_activation_that_bpm_refuses_has_nothing_to_undo(desk, active):
    before = len(desk.billed())
    fail(desk, BPM)
    desk.play(activation("A2", X))
    assert (desk.state("A2"), desk.troubles("A2")) == ("failed", ["code_400"])
    assert len(desk.billed()) == before


@pytest.mark.parametrize("path, step", [(DELETE, "delete_billing"), (BILLING, "restore_trial_billing")])
@pytest.mark.parametrize("kind", ["refusal", "503"])
def test_a_step_of_compensation_that_fails_keeps_it_open_until_it_is_resent(desk, settings, path, step, kind, trialing):
    """Contract 3.9 (4): a failed step of the compensation only opens an incident. The claim on the trial stays until
    all steps of the compensation are done."""
    settings.DISPATCH_RETRY_SECONDS = [30]
    fail(desk, BPM)
    fail(desk, path, after=2 if path == BILLING else 0, kind=kind, count=1 if kind == "refusal" else 2)
    desk.play(activation("A1"))
    desk.wait_out()
    assert (desk.state("A1"), desk.step("A1", step, undo=True).state) == ("compensating", "failed")
    assert len(desk.troubles("A1")) == 2  # BPM's refusal, and the failed undo step
    assert claimed() == ["A1"]
    desk.play(activation("A2"))
    assert desk.order("A2").held_because == "trial_busy"
    desk.command("resend", "A1")
    if kind == "503" and path == BILLING:  # the unanswered restore may still act for ten minutes (contract 3.9, 6)
        assert (desk.state("A1"), claimed(), len(desk.sent(QUERY))) == ("compensating", ["A1"], 1)
    desk.wait_out()
    assert (desk.state("A1"), desk.troubles("A1")) == ("failed", ["code_400"])
    assert (desk.state("A2"), claimed()) == ("active", ["A2"])


def test_those_who_waited_for_the_claim_are_planned_in_order_of_arrival(desk, trialing):
    """Contract 3.9 (1) and (2): when the claim is released, the orders that waited for it are planned in order of
    arrival."""
    fail(desk, BPM)
    fail(desk, DELETE)
    desk.post(activation("A1"))
    desk.play(change("C1", A, B), activation("A2"), change("C2", X))
    desk.command("resend", "A1")
    assert (desk.state("C1"), desk.state("A2"), desk.order("A2").first) == ("applied", "active", True)
    assert (desk.order("C2").held_because, desk.mails("C2", "mail_held")) == ("claim_held", 1)
    assert desk.billed()[-4:] == [
        ("create", "T1", [A]),
        ("create", "T1", [B]),
        ("cancel", "T1", [A, B]),
        ("create", "A2", [A, B]),
    ]


def test_an_undo_mark_stops_every_forward_step(desk, trialing):
    """Contract 3.9 (5): after the undo mark no forward step is claimed."""
    desk.post(activation("A1"))
    begin(desk, "A1")
    assert desk.claim("bigdata", "bpm", "files") == []
    desk.sweep()
    assert desk.sent(BPM) == []


def test_begun_twice_it_is_undone_once(desk, active):
    begin(desk, "A1")
    begin(desk, "A1")
    assert [row for row in desk.steps("A1") if row.endswith(("due", "waiting"))] == [
        "delete_billing:due",
        "restore_trial_billing:waiting",
    ]
    desk.deliver()
    assert desk.billed()[3:] == [("delete", "A1", [A]), ("create", "T1", [A])]
    begin(desk, "A1")
    desk.deliver()
    assert len(desk.billed()) == 5


def begin(desk, number: str):
    begin_undo(lock_order(number), ending=Order.State.FAILED, why="test", by="test", now=timezone.now())


def test_a_compensated_order_is_sent_anew_under_new_keys_and_a_new_time(desk, trialing):
    """Contract 3.9 (1) and (7): a compensated activation that is sent again has new keys and a new time, and gets the
    claim on the trial again."""
    fail(desk, BPM)
    desk.play(activation("A1"))
    desk.clock.shift(3600)
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.state("T1"), claimed()) == ("active", "converted", ["A1"])
    assert (desk.troubles("A1"), desk.held_there("A1")[A]["createTime"]) == ([], "20230920195436")
    keys = [call["key"] for call in desk.sandbox.calls()]
    assert len(keys) == len(set(keys))
    assert desk.sent(QUERY) == []
