"""Withdrawals of trials and of their changes (contract 3.10)."""

import pytest
from django.utils import timezone

from orders.actions.action_previews import undoing
from orders.intake.replan_held_orders import choose_attribution
from orders.outbox.enqueue import derived_key
from orders.replanning.giving_up import give_up
from orders.sending.resend import Selection, resend
from tests.flows.conftest import BILLING, QUERY
from tests.flows.contents import activation, change, trial, withdrawal

A, B, C = "a.example.com", "b.example.com", "c.example.com"


def previewed(desk, number: str) -> dict[str, int | None]:
    """Returns what staff read before they withdraw an order: the number of records of each kind."""
    found = undoing(desk.order(number), now=timezone.now())
    return {one.code: one.params.get("n") for one in found if one.code != "closes_steps"}


def test_the_live_records_of_a_trial_are_cancelled_and_its_changes_go_with_it(desk):
    desk.play(trial("T1", A), change("C1", A, B), change("C2", B, C))
    desk.clock.shift(60)
    desk.play(withdrawal("T1"))
    assert [desk.state(number) for number in ("T1", "C1", "C2")] == ["withdrawn"] * 3
    assert (desk.billed()[-1], desk.alive_there("T1")) == (("cancel", "T1", [B, C]), [])
    assert desk.held_there("T1")[B]["cancelTime"] == "20230920185536"
    assert set(desk.records("T1").values()) == {"cancelled"}


def test_a_trial_that_an_activation_holds_cannot_be_withdrawn(desk, active):
    """Contract 3.10: the withdrawal of a trial with an active activation is answered 30000, BizCode 3005."""
    assert desk.refused(withdrawal("T1")) == ("30000", "3005")
    desk.post(withdrawal("A1"))
    # the trial is free only once the withdrawal of its activation has finished
    assert desk.refused(withdrawal("T1")) == ("30000", "3005")
    desk.deliver()
    desk.play(withdrawal("T1"))
    assert (desk.state("T1"), desk.alive_there("T1")) == ("withdrawn", [])


def test_what_a_change_did_not_make_after_all_is_not_cancelled(desk, settings, trialing):
    """The outcome for the domains B and C of a change was unknown. The query showed only B, so only the record of B is
    cancelled when the change is withdrawn."""
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BILLING, kind="503")
    desk.play(change("C1", A, B, C))
    desk.sandbox.partners.store.put_record(desk.held_there("T1")[A] | {"domain": B})
    assert previewed(desk, "C1") == {"cancels_trial": 2}
    desk.staff(give_up, "C1")
    desk.sweep(after=600)
    assert desk.records("T1") == {A: "live", B: "live", C: "deleted"}
    assert previewed(desk, "C1") == {"cancels_trial": 1}
    before = len(desk.billed())
    desk.play(withdrawal("C1"))
    assert desk.billed()[before:] == [("cancel", "T1", [B])]
    assert (desk.state("C1"), desk.alive_there("T1")) == ("withdrawn", [A])


@pytest.mark.parametrize("content, left", [(trial("T2", B), []), (change("T2", A, B), [A])], ids=["trial", "change"])
def test_what_is_tried_again_at_once_is_undone_too(desk, content, left, trialing):
    """A create had no answer, and staff queued it again. The order is withdrawn before the create goes out again, and
    the record is cancelled."""
    desk.sandbox.fault(path=BILLING, kind="reset_after")
    desk.play(content)
    resend(Selection(numbers=("T2",)), by="staff:x", reason="test", now=timezone.now())
    assert desk.step("T2", "create_trial_billing").state == "due"
    desk.play(withdrawal("T2"))
    job = "T1" if left else "T2"
    assert (desk.state("T2"), desk.alive_there(job)) == ("compensating", left)
    desk.wait_out()  # the unanswered call may still act for ten minutes (3.9, 6)
    assert desk.sent(QUERY) == [{"jobId": job}] * 2
    assert (desk.state("T2"), desk.alive_there(job)) == ("withdrawn", left)


@pytest.mark.parametrize("arrange", ["not delivered", "refused", "held"])
def test_a_trial_of_which_nothing_is_there_is_withdrawn_without_a_call(desk, arrange):
    if arrange == "refused":
        desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.post(trial("T1", A, **({"EnterpriseID": "000"} if arrange == "held" else {})))
    if arrange == "refused":
        desk.deliver()
    calls = len(desk.sandbox.calls())
    desk.play(withdrawal("T1"))
    assert (desk.state("T1"), desk.troubles("T1"), len(desk.sandbox.calls())) == ("withdrawn", [], calls)
    assert desk.step("T1", "cancel_trial_billing", undo=True) is None


def test_a_trial_whose_making_is_unknown_is_cancelled(desk, settings):
    settings.DISPATCH_RETRY_SECONDS = [30]
    desk.sandbox.fault(path=BILLING, kind="reset_after", count=2)
    desk.play(trial("T1", A))
    desk.wait_out()
    assert desk.state("T1") == "failed"
    desk.play(withdrawal("T1"))
    assert (desk.state("T1"), desk.alive_there("T1"), desk.records("T1")) == ("compensating", [], {A: "cancelled"})
    desk.wait_out()  # the create may still act for ten minutes (3.9, 6)
    assert desk.sent(QUERY) == [{"jobId": "T1"}] * 2
    assert (desk.state("T1"), desk.alive_there("T1"), desk.records("T1")) == ("withdrawn", [], {A: "cancelled"})


@pytest.mark.parametrize(
    "result, sent", [("ok", [("cancel", [A])]), ("retry", [("create", [A]), ("cancel", [A])]), ("refused", [])]
)
def test_a_trial_is_withdrawn_while_its_making_is_in_the_air(desk, result, sent):
    desk.post(trial("T1", A))
    [work] = desk.claim()
    desk.play(withdrawal("T1"))
    assert (desk.state("T1"), desk.billed()) == ("compensating", [])
    desk.end(work, result, code="" if result == "ok" else "x")
    desk.wait_out()
    assert [(verb, names) for verb, _, names in desk.billed()] == sent
    assert desk.state("T1") == "withdrawn"


@pytest.mark.parametrize(
    "result, sent",
    [("ok", [("cancel", [A, B])]), ("retry", [("create", [B]), ("cancel", [A, B])]), ("refused", [("cancel", [A])])],
)
def test_a_trial_is_withdrawn_while_a_change_is_in_the_air(desk, result, sent, trialing):
    desk.post(change("C1", A, B))
    [work] = desk.claim()
    desk.play(withdrawal("T1"))
    assert (desk.state("T1"), desk.state("C1")) == ("compensating", "withdrawn")
    desk.end(work, result, code="" if result == "ok" else "x")
    desk.wait_out()
    assert [(verb, names) for verb, _, names in desk.billed()][1:] == sent
    assert (desk.state("T1"), desk.alive_there("T1")) == ("withdrawn", [])


def test_a_change_that_was_being_withdrawn_brings_nothing_back(desk):
    """The withdrawal of a change had not finished when its trial was withdrawn. The trial's withdrawal takes over the
    change's unfinished undo steps, so no record is restored (3.9, 7)."""
    desk.play(trial("T1", A, B), change("C1", A))
    desk.post(withdrawal("C1"))
    desk.play(withdrawal("T1"))
    assert desk.billed()[2:] == [("cancel", "T1", [A])]
    assert (desk.state("C1"), desk.state("T1"), desk.alive_there("T1")) == ("withdrawn", "withdrawn", [])


def test_nor_does_one_whose_undoing_has_still_to_take_away_first(desk):
    """A change is being withdrawn: the restore of A waits behind the cancel of C. The trial's withdrawal takes over
    both steps, so A is not restored."""
    desk.play(trial("T1", A, B), change("C1", B, C))
    desk.post(withdrawal("C1"))
    assert desk.step("C1", "restore_trial_billing", undo=True).state == "waiting"
    # the trial's withdrawal cancels B and C, and A is not restored
    assert previewed(desk, "T1") == {"cancels_trial": 2}
    desk.play(withdrawal("T1"))
    assert desk.billed()[3:] == [("cancel", "T1", [B, C])]
    assert (desk.state("C1"), desk.state("T1"), desk.alive_there("T1")) == ("withdrawn", "withdrawn", [])


def test_held_followers_of_a_withdrawn_trial(desk):
    desk.play(trial("T1", A, EnterpriseID="000"), change("C1", B), activation("A1"))
    assert desk.refused(withdrawal("T1")) == ("30000", "3005")
    desk.play(withdrawal("A1"), activation("A2", of="T2"), withdrawal("T1"))
    assert (desk.state("T1"), desk.state("C1"), desk.troubles("C1")) == ("withdrawn", "withdrawn", [])
    assert desk.order("A2").held_because == "trial_unknown"
    desk.play(activation("A3"))
    assert (desk.order("A3").held_because, desk.sandbox.calls()) == ("trial_closed", [])


def test_a_change_is_undone_record_by_record(desk):
    desk.play(trial("T1", A, B))
    before = desk.held_there("T1")
    desk.clock.shift(60)
    desk.play(change("C1", B, C))
    assert previewed(desk, "T1") == {"cancels_trial": 2}  # the change removed A, so A is not cancelled again
    assert previewed(desk, "C1") == {"cancels_trial": 1, "restores": 1}
    desk.play(withdrawal("C1"))
    assert previewed(desk, "C1") == {"taken_back": None}
    assert previewed(desk, "T1") == {"cancels_trial": 2}
    assert desk.billed()[3:] == [("cancel", "T1", [C]), ("create", "T1", [A])]
    # Contract 3.5: after a restore of our database an order uses its own keys again. C1 has used the first key of its
    # cancel step already.
    assert desk.sandbox.calls(path=BILLING)[3]["key"] == str(derived_key("C1", "cancel_trial_billing", 2))
    after = desk.held_there("T1")
    assert {name: after[name] for name in before} == before
    assert (desk.state("C1"), desk.state("T1"), desk.alive_there("T1")) == ("withdrawn", "trialing", [A, B])
    desk.play(activation("A1"))
    assert desk.held_there("A1").keys() == {A, B}


def test_a_change_of_which_nothing_was_sent_is_just_closed(desk, trialing):
    desk.post(change("C1", B))
    desk.play(withdrawal("C1"))
    assert (desk.state("C1"), desk.billed()) == ("withdrawn", [("create", "T1", [A])])
    desk.play(change("C2", A, C))
    assert desk.alive_there("T1") == [A, C]


def test_a_held_change_is_withdrawn(desk):
    desk.play(change("C1", B), withdrawal("C1"), trial("T1", A))
    assert (desk.state("C1"), desk.troubles("C1"), desk.alive_there("T1")) == ("withdrawn", [], [A])


def test_a_change_that_another_was_built_upon_goes_without_a_call(desk):
    """Contract 3.9 (19): the later change decides for every domain whether the domain is on trial. So nothing differs
    without the first change, and its withdrawal sends no call."""
    desk.play(trial("T1", A), change("C1", A, B), change("C2", B, C))
    calls = len(desk.billed())
    desk.play(withdrawal("C1"))
    assert [(desk.state(number), desk.troubles(number)) for number in ("C1", "C2", "T1")] == [
        ("withdrawn", []),
        ("applied", []),
        ("trialing", []),
    ]
    assert len(desk.billed()) == calls
    assert desk.alive_there("T1") == [B, C]
    desk.play(withdrawal("C2"))
    assert (desk.state("C2"), desk.alive_there("T1")) == ("withdrawn", [A])


def test_a_change_never_begun_that_an_activation_was_built_upon_is_not_carried_out(desk):
    """Contract 3.10: the withdrawn change has sent nothing, and neither has the activation behind it. So the
    activation is planned anew, and no incident is opened."""
    desk.sandbox.fault(path=BILLING, kind="503")
    desk.play(trial("T1", A), change("C1", A, B), activation("A1"), withdrawal("C1"))
    desk.wait_out()
    assert (desk.state("C1"), desk.state("A1"), desk.state("T1")) == ("withdrawn", "active", "converted")
    assert (desk.alive_there("T1"), desk.alive_there("A1")) == ([], [A])
    assert (desk.troubles("C1"), desk.troubles("A1")) == ([], [])
    desk.play(withdrawal("A1"))
    assert desk.alive_there("T1") == [A]
    desk.wait_out()  # the trial's create had no answer at first, so the claim is free only after ten minutes (3.9, 6)
    desk.play(withdrawal("T1"))
    assert (desk.alive_there("T1"), desk.state("C1"), desk.state("T1")) == ([], "withdrawn", "withdrawn")


def test_a_change_withdrawn_with_its_trial_answers_its_own_withdrawal(desk):
    desk.play(trial("T1", A), change("C1", A, B))
    first = desk.post(withdrawal("T1"))["transIDH"]
    desk.deliver()
    own = desk.post(withdrawal("C1"))["transIDH"]
    assert own != first
    assert desk.post(withdrawal("C1"))["transIDH"] == own
    desk.deliver()
    assert (desk.state("C1"), len(desk.billed())) == ("withdrawn", 3)


def test_an_ended_trial_can_be_withdrawn(desk):
    desk.play(trial("T1", A, BizEnd="20230920"))
    desk.sweep("2023-09-21 00:00:00")
    assert desk.state("T1") == "ended"
    desk.play(withdrawal("T1"))
    assert desk.state("T1") == "withdrawn"


def test_the_attribution_of_a_withdrawn_trial_is_no_longer_asked_for(desk):
    desk.play(trial("T1", A, EnterpriseID="000"), withdrawal("T1"))
    with pytest.raises(Exception, match="not held for its attribution"):
        choose_attribution(number="T1", letters="BJ", reason="x", by="staff:x", now=timezone.now())
