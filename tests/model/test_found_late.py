"""Sequences in which a call without an answer may still act after the next act.

The next act is an opening, an undoing, a fix, or a decision of staff. The call gets no answer, its repeat is refused,
and minutes later the call is carried out (contract 3.9, 6). The end must be the same as without the late call.
"""

import pytest

from orders.models import AffectedOrder
from tests.model.truth import Books, not_beside_each_other

DAY = 86400
DELETED = ("late",), ("refuse",)  # outcomes (FATES) of the first call and of its repeat


@pytest.fixture
def active(desk):
    """Returns a desk on which the activation A0 of the trial T0 is active."""
    desk.trial("T0", "a").deliver()
    return desk.activation("A0", "T0").deliver()


def goes_late(desk, *before: str):
    """Makes the next billing call late: it gets no answer, its repeat is refused, and it acts after 400 seconds.

    `before` has the outcomes (keys of `partner.FATES`) of the calls before the late one.
    """
    desk.deliver("bigdata", fates=(*before, "late")).next_moment().deliver("bigdata", fates=("refuse",))


def deleted_late(desk):
    """Delivers the first deletion of the compensated A0 as a late call. The second deletion is accepted."""
    goes_late(desk)
    desk.resend("A0").deliver()


def lost_there(desk):
    """Deletes A0's record at the big-data side. The call of the first fix acts late, after the second fix."""
    desk.meddle("A0", "a", "delete").reconcile("A0", fix=True)
    goes_late(desk)
    desk.reconcile("A0", fix=True).deliver()


# --- opened again after a deletion


@pytest.mark.parametrize("start", [0, 2])
def test_a_late_deletion_takes_no_record_of_an_order_that_is_opened_again(desk, start):
    desk.trial("T0", "a").deliver()
    desk.activation("A0", "T0", start=start).deliver()
    desk.compensate("A0")
    deleted_late(desk)
    desk.resend("A0").deliver().check()
    desk.stands(A0="active", live="a", stuck=())


def test_nor_of_one_that_a_pass_opens(desk, active):
    desk.callback("A0", "reject")
    deleted_late(desk)
    desk.decide("A0", "pass").deliver().check()
    desk.stands(A0="active", live="a", stuck=())


@pytest.mark.parametrize("after", [1, 500])
def test_nor_of_one_whose_start_is_moved_after_it_was_opened(desk, after):
    """The start of a reopened order is moved. The late deletion must not delete its record.

    The move is refused while the deletion may still act. After that time, no look-up follows the move.
    """
    desk.trial("T0", "a").deliver()
    desk.activation("A0", "T0", start=2).deliver()
    desk.compensate("A0")
    deleted_late(desk)
    desk.resend("A0").deliver().wait(after).move_start("A0", 4).deliver().check()
    desk.stands(A0="active", live="a", stuck=())


def test_the_late_deletion_of_a_stray_record_takes_none_of_an_order_that_is_opened_again(desk, active):
    desk.compensate("A0").deliver().meddle("A0", "a", "live").reconcile("A0", fix=True)
    goes_late(desk)
    desk.reconcile("A0", fix=True).deliver()
    desk.resend("A0").deliver().check()
    desk.stands(A0="active", live="a", stuck=())


# --- undone after a creation


def test_a_late_repeat_bills_nobody_whose_order_was_cancelled(desk, active):
    desk.wait(2 * DAY).resend("A0", force=True, channel="billing")
    goes_late(desk, "ok")
    desk.withdraw_by_staff("A0", "cancel").deliver()
    assert desk.state("A0") == "compensating"  # until the second look-up
    desk.activation("A1", "T0", "b")
    assert desk.state("A1") == "held"
    desk.check()
    desk.stands(A0="withdrawn", T0="ended", live="")


@pytest.mark.parametrize("how", ["", "cancel", "delete"])
def test_a_late_fix_bills_nobody_whose_order_was_withdrawn(desk, active, how):
    if how:
        desk.wait(2 * DAY)
    lost_there(desk)
    desk.withdraw_by_staff("A0", how).deliver()
    assert desk.state("A0") == "compensating"
    desk.check()
    desk.stands(A0="withdrawn", live="", stuck=())


def test_nor_whose_order_was_compensated(desk, active):
    lost_there(desk)
    desk.compensate("A0").deliver().check()
    desk.stands(A0="failed", live="")


def test_nor_one_whose_order_was_opened_between_and_compensated_again(desk, active):
    desk.compensate("A0")
    deleted_late(desk)
    desk.resend("A0").deliver()
    lost_there(desk)
    desk.compensate("A0").deliver().check()
    desk.stands(A0="failed", live="")


def test_a_late_undoing_ends_a_trial_whose_creation_is_still_under_way(desk):
    """A trial's creation is carried out after a late undoing of its activation. The trial's record must not run on."""
    desk.trial("T0", "a")
    desk.activation("A0", "T0", start=1).wait(2 * DAY)
    desk.deliver("bigdata", fates=("lost",)).deliver("bpm")
    desk.withdraw_by_staff("A0", "cancel").deliver().check()
    desk.stands(A0="withdrawn", T0="ended", live="", ends={})


def test_a_second_forced_repeat_takes_the_place_of_one_that_failed(desk, active):
    for fate in ("refuse", "ok"):
        desk.resend("A0", force=True, channel="billing").deliver("bigdata", fates=("ok", fate))
    desk.check()
    desk.stands(A0="active", live="a", stuck=())


# --- after a decision of staff


def test_a_late_fix_behind_what_staff_accepted_is_taken(desk, active):
    """Staff accept that a record is missing. Then the late fix creates the record again, and the desk takes it."""
    desk.meddle("A0", "a", "delete").reconcile("A0", fix=True)
    goes_late(desk)
    desk.accept("A0").check()
    desk.stands(A0="active", live="a", stuck=())


def test_a_given_up_deletion_waits_for_the_late_creation(desk):
    desk.trial("T0", "a").deliver()
    desk.setting(retries=[]).activation("A0", "T0").deliver("bigdata", fates=("ok", "ok", "late"))
    desk.deliver("bigdata", fates=("refuse",))  # the refused deletion
    desk.give_up("A0").deliver().reconcile("A0").deliver()
    assert desk.state("A0") == "compensating"
    desk.check()
    desk.stands(A0="failed", live="")


@pytest.mark.parametrize("write", [3, 9])
def test_a_cancel_that_had_nothing_to_send_can_not_act_late(desk, write):
    """A worker dies with a cancel that has nothing to send, because somebody deleted the record.

    Such a cancel can't act late. So the comparison settles at once that the record does not exist and should not.
    """
    desk.trial("T0", "a", end=0).deliver()
    desk.wait(86400).sweep().deliver()
    desk.change("C0", "T0", "", flow="2").meddle("T0", "a", "delete").deliver()
    desk.proceed("C0").dies(write).deliver()
    desk.check()


# --- incidents name the step that stopped


def test_each_order_of_a_shared_doubt_and_its_trial_is_named_by_its_own_step(desk):
    """The answers to T1's creation and to A0's cancel are not understood. Both steps use the same call.

    The shared incident names A0 and its trial T0 by A0's step.
    """
    desk.trial("T0", "a").deliver()
    desk.setting(retries=[]).enter("T1", "a").activation("A0", "T0").deliver("bigdata", fates=("odd",)).next_moment()
    desk.compensate("A0").deliver().resend("A0").deliver("bigdata", "bpm", fates=("odd",), room=1)
    desk.check()
    named = AffectedOrder.objects.unresolved().filter(incident__code="not_understood").select_related("incident")
    assert {row.order.number: row.own_step for row in named if row.order.number in {"T0", "A0"}} == {
        "T0": "cancel_trial_billing",
        "A0": "cancel_trial_billing",
    }


# --- records are changed manually before the second look-up after `give_up`


def test_a_look_after_a_give_up_may_find_a_record_gone(desk):
    desk.setting(answers="prove")
    desk.trial("T0", "bc", end=9)
    desk.deliver("bigdata", fates=("again",))
    desk.give_up("T0", "create_trial_billing")
    desk.pause("bigdata", 90)
    desk.next_moment()
    desk.deliver()
    desk.reconcile("T0")
    desk.meddle("T0", "c", "delete")
    desk.check()


def test_and_an_activation_of_that_trial_bills_it_no_more(desk):
    desk.setting(answers="prove")
    desk.trial("T0", "bc")
    desk.again("T0")
    desk.deliver("bigdata", fates=("again",))
    desk.pause("bigdata", 0)
    desk.pause("bigdata", 90)
    desk.give_up("T0", "")
    desk.activation("A0", "T0", "")
    desk.activation("A1", "T0", "a")
    desk.deliver("bigdata")
    desk.deliver("bpm", fates=("odd",))
    desk.next_moment()
    desk.profile(odd=True)
    desk.resume("bpm")
    desk.resend("A1")
    desk.deliver()
    desk.meddle("T0", "a", "delete")
    desk.reconcile("T0")
    desk.meddle("T0", "b", "delete")
    desk.accept("T0")
    desk.check()


def test_so_may_a_look_after_an_acceptance(desk):
    desk.trial("T0", "a")
    desk.meddle("T0", "a", "delete")
    desk.deliver("bigdata", "bpm", fates=("ok", "ok", "ok", "odd"), room=1)
    desk.fetch_usage()
    desk.compensate("A9")
    desk.activation("A0", "T0", "")
    desk.deliver("bigdata", fates=("odd",))
    desk.next_moment()
    desk.accept("A0")
    desk.deliver()
    desk.meddle("A0", "a", "delete")
    desk.reconcile("A0", fix=True)
    desk.deliver("bigdata", fates=("late",))
    desk.next_moment()
    desk.deliver("bigdata", fates=("refuse",))
    desk.deliver()
    desk.accept("A0")
    desk.deliver()
    desk.deliver("bigdata", fates=("refuse",))
    desk.claim("bigdata", room=1)
    desk.withdraw_by_staff("C0", "")
    desk.deliver()
    desk.next_moment()
    desk.change("C1", "T0", "", end=2)
    desk.meddle("A0", "a", "delete")
    desk.reconcile("A0")
    desk.meddle("A0", "c", "times")
    desk.accept("A0")
    desk.check()


def test_of_several_that_are_opened_again_only_one_gets_the_claim(desk):
    """A resend opens several activations of a trial, but only one of them gets the claim on the trial.

    The preview of this resend says so too.
    """
    desk.trial("T0", "a")
    desk.activation("A0", "T0", "").deliver("bigdata", fates=("odd",)).next_moment().profile(odd=True).resend("A0")
    desk.refuses("cancel", "a").deliver()
    desk.activation("A1", "T0", "a").deliver("bigdata").deliver("bpm").wait(0).deliver("bigdata")
    desk.activation("A2", "T0", "b").deliver("bigdata").deliver("bpm", fates=("refuse",)).wait(0).deliver("bigdata")
    desk.deliver()
    desk.resend(failed=True, reopen=True, partner="").check()


# --- the checker's own rule


def test_only_a_record_that_runs_on_is_billed_beside_the_activation(desk):
    """A cancelled record that somebody makes live again has ended, because its `cancelTime` is the time of the cancel.

    The record bills beside the activation's record only with a later `cancelTime`.
    """
    desk.trial("T0", "a").deliver()
    desk.activation("A0", "T0", "a").deliver().wait(3600)
    desk.meddle("T0", "a", "live")
    assert not list(not_beside_each_other(Books.read(desk.wire.partners.store)))
    desk.meddle("T0", "a", "end", to=30)
    assert len(list(not_beside_each_other(Books.read(desk.wire.partners.store)))) == 1
