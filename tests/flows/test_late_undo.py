"""Late undoing: the desk does not delete by itself the records of what a customer owes (contract 3.9, 16)."""

import pytest
from django.utils import timezone

from orders.actions.accept import accept
from orders.models import TrialClaim
from orders.replanning.staff_decision import decide
from orders.replanning.withdrawal import withdraw_by_staff
from orders.texts.errors import NotAllowedError
from orders.undoing.by_staff import compensate
from tests.flows.conftest import DELETE
from tests.flows.contents import activation, change, trial, withdrawal

A, B = "a.example.com", "b.example.com"
WHO = {"reason": "客户要求", "by": "command:test"}


@pytest.fixture
def live(desk):
    """Returns a desk with an activation that has been live for a month."""
    desk.play(trial("T1", A), activation("A1"))
    desk.at("2023-10-20 09:00:00")
    return desk


def staff(desk, number="A1", how=""):
    withdraw_by_staff(number=number, how=how, now=timezone.now(), **WHO)
    desk.deliver()


def test_bbosss_withdrawal_is_kept_and_asks_staff(live):
    live.play(withdrawal("A1"))
    assert (live.state("A1"), live.troubles("A1"), live.sent(DELETE)) == ("active", ["late_undo"], [])
    live.play(activation("A2", B), change("C1", A, B))
    assert (live.state("A2"), live.order("A2").held_because) == ("held", "trial_busy")
    assert live.order("C1").held_because == "trial_busy"


@pytest.mark.parametrize("how, left", [("cancel", {A: "cancelled"}), ("delete", {A: "deleted"})])
def test_staff_choose_how(live, how, left):
    """With `cancel` the records keep their start and end now. With `delete` the records are removed."""
    live.play(withdrawal("A1"), activation("A2", B))
    before = live.held_there("A1")[A]
    staff(live, how=how)
    cancelled = {A: before | {"cancelStatus": "2", "cancelTime": "20231020090000"}}
    assert live.held_there("A1") == (cancelled if how == "cancel" else {})
    assert (live.state("A1"), live.records("A1"), live.troubles("A1")) == ("withdrawn", left, [])
    assert live.state("T1") == "ended"
    assert not TrialClaim.objects.filter(released_at=None).exists()
    assert live.order("A2").held_because == "trial_closed"
    assert live.alive_there("T1") == []


def test_the_choice_is_needed_there_and_only_there(live):
    with pytest.raises(NotAllowedError, match="--cancel"):
        staff(live)
    with pytest.raises(NotAllowedError, match="--cancel or --delete"):
        compensate(number="A1", now=timezone.now(), **WHO)
    live.play(activation("A2", B))
    live.decided("A2")
    with pytest.raises(NotAllowedError, match="there is no choice"):
        staff(live, "A2", how="cancel")
    staff(live, "A2")
    assert (live.state("A2"), live.alive_there("A2")) == ("withdrawn", [])


def test_a_late_reject_is_recorded_and_asks_staff(live):
    live.decided("A1", "reject")
    assert (live.state("A1"), live.order("A1").decision, live.troubles("A1")) == ("active", "reject", ["late_undo"])
    decide(number="A1", record="pass", now=timezone.now(), **WHO)
    assert (live.order("A1").decision, live.troubles("A1"), live.order("A1").undo_asked_at) == ("pass", [], None)


@pytest.mark.parametrize("how, left", [("cancel", {A: "cancelled"}), ("delete", {A: "deleted"})])
def test_who_lived_with_it_may_withdraw_the_order_later(live, how, left):
    live.play(withdrawal("A1"), activation("A2", B))
    live.staff(accept, "A1", incident="late_undo")
    assert (live.state("A1"), live.troubles("A1")) == ("active", [])
    assert live.state("A2") == "awaiting_approval"
    staff(live, how=how)
    assert (live.state("A1"), live.records("A1"), live.state("T1")) == ("withdrawn", left, "ended")


def test_the_choice_can_be_made_once(live):
    live.sandbox.fault(path=DELETE, kind="refusal")
    staff(live, how="delete")
    assert live.state("A1") == "compensating"
    for again in ("", "cancel", "delete"):
        with pytest.raises(NotAllowedError, match="withdrawn already"):
            staff(live, how=again)


def test_one_that_has_just_begun_is_undone_however_old_its_day(desk):
    desk.play(trial("T1", A), activation("A1", start="20220101"), withdrawal("A1"))
    assert (desk.state("A1"), desk.alive_there("T1"), desk.alive_there("A1")) == ("withdrawn", [A], [])


def test_a_change_withdrawn_after_its_trial_has_ended_so_brings_nothing_back(desk):
    desk.play(trial("T1", A, B), change("C1", B), activation("A1"))
    desk.at("2023-10-20 09:00:00")
    staff(desk, how="cancel")
    assert desk.state("T1") == "ended"
    desk.play(withdrawal("C1"))
    assert (desk.state("C1"), desk.alive_there("T1"), desk.alive_there("A1")) == ("withdrawn", [], [])
