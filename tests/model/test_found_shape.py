"""Sequences about the shape of a trial (contract 3.9, 19), found by a person's own model and by hand. Remove none.

Each docstring has the number of its sequence, such as "play A1". Plays A to D were found by the person's independent
model. Plays E were found while the rule was worked out by hand. Days count from 20 September 2023: `end=3` is the
23rd.
"""

import pytest
from django.conf import settings

from orders.models import Attempt, Dispatch

DAY = 86400
LATE = 3 * DAY  # if it was billed for this long, nothing is undone automatically


@pytest.fixture
def trialing(desk):
    desk.trial("T0", "a").deliver()


@pytest.fixture
def active(desk, trialing):
    desk.activation("A0", "T0").deliver()


# --- A: the end day of a trial's records


def test_a_withdrawn_extension_leaves_no_record_running_on(desk):
    """An extension is withdrawn after the old end has passed. The trial ends, and no record runs on (play A1)."""
    desk.trial("T0", "a", end=1).deliver()
    desk.change("C0", "T0", end=5).deliver()
    desk.wait(3 * DAY).withdraw("C0").check()
    desk.stands(T0="ended", C0="withdrawn", ends={}, stuck=())


def test_a_withdrawn_extension_that_revived_a_trial_leaves_no_record_running_on(desk):
    """A change that revived an ended trial is withdrawn. The trial ends again, and no record runs on (play A2)."""
    desk.trial("T0", "a", end=1).deliver()
    desk.wait(2 * DAY).sweep()
    assert desk.state("T0") == "ended"
    desk.change("C0", "T0", end=5).deliver()
    assert (desk.state("T0"), desk.ends_there("T0")) == ("trialing", {"a": "20230925"})
    desk.wait(DAY).withdraw("C0").check()
    desk.stands(T0="ended", C0="withdrawn", ends={}, stuck=())


@pytest.mark.parametrize(("end", "told"), [(3, "20230923"), (None, "")])
def test_a_domain_that_a_later_change_brought_back_has_the_trials_end_again(desk, end, told):
    """One change removes b and sets another end, and the next change adds b again. Then both are withdrawn.

    Both domains have the trial's first end again (play A3), or no end if the trial had none (play A4).
    """
    desk.trial("T0", "ab", end=end).deliver()
    desk.change("C0", "T0", "a", end=6).deliver()
    desk.change("C1", "T0", "ab").deliver()
    assert desk.ends_there("T0") == {"a": "20230926", "b": "20230926"}
    desk.withdraw("C1").deliver()
    desk.withdraw("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="withdrawn", ends={"a": told, "b": told}, stuck=())


def test_an_end_that_some_records_refused_is_put_back_for_the_others(desk):
    """A change adds b and sets a later end, which the partner refuses for a. Then staff give the change up.

    Then b gets the trial's own end, which a has (play A5).
    """
    desk.trial("T0", "a", end=3).deliver()
    desk.refuses("live", "a")
    desk.change("C0", "T0", "ab", end=10).play_out()
    desk.stands(C0="failed", stuck={"T0", "C0"})
    desk.refuses().give_up("C0").check()
    desk.stands(T0="trialing", C0="applied", ends={"a": "20230923", "b": "20230923"}, stuck=())


def test_a_domain_whose_cancel_was_given_up_keeps_the_trial_at_its_end(desk):
    """A change replaces a by b with a later end, but the cancel of a is refused and given up.

    So a is still on trial, and the trial's old end counts for both domains (play A6).
    """
    desk.trial("T0", "a", end=2).deliver()
    desk.refuses("cancel", "a")
    desk.change("C0", "T0", "b", end=9).play_out()
    desk.refuses().give_up("C0").check()
    desk.stands(T0="trialing", C0="applied", ends={"a": "20230922", "b": "20230922"}, stuck=())


def _given_up_put_back(desk):
    """Plays A7 up to the point where staff give up the step that should remove an end.

    A change had set the end and is withdrawn, but the partner refuses to remove the end.
    """
    desk.trial("T0", "a").deliver()
    desk.change("C0", "T0", end=5).deliver()
    desk.refuses("live", "a")
    desk.withdraw("C0").play_out()
    desk.refuses().give_up("C0").judged()
    desk.stands(T0="trialing", C0="withdrawn", ends={"a": "20230925"}, stuck={"T0", "C0"})
    assert "difference" in desk.troubles("T0")
    assert "difference" in desk.troubles("C0")


def test_a_put_back_that_was_given_up_is_named_until_it_is_resent(desk):
    """A given-up step that should restore a trial's end is not sent automatically. Staff resend it (play A7)."""
    _given_up_put_back(desk)
    desk.resend("C0").check()
    desk.stands(T0="trialing", ends={"a": ""}, stuck=())


def test_a_put_back_that_was_given_up_is_named_until_it_is_accepted(desk):
    """Staff accept the end that a given-up step should have removed. The record keeps this end (play A7)."""
    _given_up_put_back(desk)
    desk.accept("T0").check()
    desk.stands(ends={"a": "20230925"}, stuck=())


def test_an_extension_that_never_came_did_nothing(desk):
    """An extension that never reached the partner is given up. The change behind it has the old end (play A8)."""
    desk.setting(retries=[])
    desk.trial("T0", "a", end=3).deliver()
    desk.change("C0", "T0", end=5).deliver("bigdata", fates=("broken",))
    desk.change("C1", "T0", "ab")
    desk.give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", ends={"a": "20230923", "b": "20230923"}, stuck=())


def test_an_end_that_staff_took_is_the_trials(desk):
    """Staff take an end that somebody set at the partner. The trial runs until then, 31 December (play A9)."""
    desk.trial("T0", "a", end=3).deliver()
    desk.meddle("T0", "a", "end", to=102).reconcile()
    assert desk.troubles("T0") == ["difference"]
    desk.take("T0")
    desk.wait(4 * DAY).check()
    desk.stands(T0="trialing", ends={"a": "20231231"}, stuck=())
    desk.wait(99 * DAY).check()
    desk.stands(T0="ended", stuck=())


def test_a_taken_end_counts_until_a_change_that_names_one(desk):
    """An end that staff took counts for the next change, until a change names another end (play A9)."""
    desk.trial("T0", "a", end=3).deliver()
    desk.meddle("T0", "a", "end", to=9).reconcile()
    desk.take("T0")
    desk.change("C0", "T0", "ab").deliver()
    assert desk.ends_there("T0") == {"a": "20230929", "b": "20230929"}
    desk.change("C1", "T0", end=5).check()
    desk.stands(ends={"a": "20230925", "b": "20230925"}, stuck=())


def test_a_trial_runs_on_once_its_refused_shortening_is_given_up(desk):
    """Staff give up a shortening that the partner refused, after the trial has ended on the earlier day.

    Then the trial runs on until its old end (play A10).
    """
    desk.trial("T0", "a", end=9).deliver()
    desk.change("C0", "T0", end=2).deliver("bigdata", fates=("refuse",))
    desk.wait(4 * DAY).sweep()
    desk.stands(T0="ended", stuck={"T0", "C0"})
    desk.give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", ends={"a": "20230929"}, stuck=())


@pytest.mark.parametrize(("old", "new", "last"), [(3, 5, 6), (5, 2, 3)])
def test_an_end_that_was_moved_though_the_answers_were_lost_counts(desk, old, new, last):
    """The answer to a moved end is lost, and staff give the change up. The new end counts.

    The reason is that both look-ups show the new end.

    The change is an extension (play A11) or a shortening (play A12).
    """
    desk.setting(retries=[])
    desk.trial("T0", "a", end=old).deliver()
    desk.change("C0", "T0", end=new).deliver("bigdata", fates=("lost",))
    desk.give_up("C0").check()
    desk.stands(T0="trialing", C0="applied", ends={"a": f"202309{20 + new}"}, stuck=())
    desk.wait((last - 1) * DAY).sweep()
    assert desk.state("T0") == "trialing"
    desk.wait(DAY).check()
    desk.stands(T0="ended", stuck=())


# --- B: given up, and what comes after


def test_resending_a_given_up_cancel_leaves_what_a_later_change_orders(desk, trialing):
    """A later change orders b, whose cancel was given up. A resend of the cancel has nothing left to send.

    The incident of the cancel is over too (play B1).
    """
    desk.change("C0", "T0", "ab").deliver()
    desk.refuses("cancel", "b")
    desk.withdraw("C0").play_out()
    desk.change("C1", "T0", "ab")
    desk.refuses().give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", ends={"a": "", "b": ""}, stuck=())
    desk.resend("C0").check()
    desk.stands(ends={"a": "", "b": ""}, stuck=())


def test_a_withdrawn_activation_does_not_give_back_what_a_withdrawn_change_added(desk, trialing):
    """A given-up cancel left the record of b, which a withdrawn change had added. An activation cancels this record.

    This ends the incident. The withdrawal of the activation does not restore b (play B2).
    """
    desk.change("C0", "T0", "ab").deliver()
    desk.refuses("cancel", "b")
    desk.withdraw("C0").play_out()
    desk.refuses().give_up("C0").judged()
    assert desk.names_stuck() == {"T0", "C0"}
    desk.activation("A0", "T0").judged()
    assert (desk.live_there("A0"), desk.ends_there("T0")) == (["a.example.com"], {})
    assert desk.troubles("C0") == []
    desk.withdraw("A0").check()
    desk.stands(T0="trialing", C0="withdrawn", A0="withdrawn", ends={"a": ""}, stuck=())


def test_a_trial_is_given_back_under_one_service(desk, trialing):
    """A change of the service is given up, and the trial is restored under one service only, never under both.

    It is the new service if the change is `applied`, and the old service if the change is `withdrawn` (play B3).
    """
    desk.refuses("cancel", "a")
    desk.change("C0", "T0", service="4").play_out()
    desk.refuses().give_up("C0").judged()
    desk.activation("A0", "T0").judged()
    assert (desk.state("A0"), desk.services_there("T0")) == ("active", {})
    desk.withdraw("A0").check()
    desk.stands(
        T0="trialing", A0="withdrawn", services={"a": {"applied": "4", "withdrawn": "1"}[desk.state("C0")]}, stuck=()
    )


def test_a_given_up_restore_takes_no_domain_from_later_orders(desk):
    """The restore of a is refused and given up. The next change creates a again, because its message contains a.

    A later activation bills a too (play B4).
    """
    desk.trial("T0", "ad").deliver()
    desk.change("C0", "T0", "bd").deliver()
    desk.refuses("live", "a")
    desk.withdraw("C0").play_out()
    desk.change("C1", "T0", "acd")
    desk.refuses().give_up("C0").judged()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", ends={"a": "", "c": "", "d": ""}, stuck=())
    desk.activation("A0", "T0").check()
    desk.stands(T0="converted", ends={}, live="acd", stuck=())


def test_a_trial_with_a_given_up_restore_runs_on_with_what_a_later_change_orders(desk, trialing):
    """The restore of a is given up.

    The trial runs on with the domains of the next change, which are a and c (play B5).
    """
    desk.change("C0", "T0", "b").deliver()
    desk.refuses("live", "a")
    desk.withdraw("C0").play_out()
    desk.change("C1", "T0", "ac")
    desk.refuses().give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", ends={"a": "", "c": ""}, stuck=())


@pytest.mark.parametrize("fate", ["refuse", "lost", "broken"])
@pytest.mark.parametrize("way", ["give_up", "resend"])
def test_a_withdrawn_trial_takes_over_a_failed_restore(desk, trialing, fate, way):
    """A trial is withdrawn while a restore of its change has failed. Staff give up or resend the restore.

    No step makes the withdrawn trial live again, and no answer stops the worker (plays B6 to B8).
    """
    desk.setting(retries=[])
    desk.change("C0", "T0", "b").deliver()
    desk.withdraw("C0").deliver("bigdata", fates=("ok", fate), room=1)
    desk.withdraw("T0")
    getattr(desk, way)("C0")
    desk.check()
    desk.stands(T0="withdrawn", C0="withdrawn", ends={}, stuck=())


def test_a_start_days_cancel_that_the_look_ups_show_carried_out_converts_the_trial(desk, trialing):
    """The answer to a start day's cancel is lost, and staff give the cancel up. The trial is converted all the same.

    The look-ups show that the cancel was carried out (play B9).
    """
    desk.setting(retries=[])
    desk.activation("A0", "T0", start=1).deliver()
    desk.wait(DAY).sweep().deliver("bigdata", fates=("lost",))
    desk.give_up("A0").check()
    desk.stands(T0="converted", A0="active", ends={}, live="a", stuck=())


def test_a_withdrawal_undoes_an_activation_whose_given_up_cancel_was_sent_again(desk):
    """A start day's cancel is given up and sent again, and then its activation is withdrawn. The trial runs on.

    The cancel was carried out before the withdrawal, or never.
    """
    for number, delivers in (("0", True), ("1", False)):
        trial, activation = f"T{number}", f"A{number}"
        desk.trial(trial, "a").deliver()
        desk.activation(activation, trial, start=1 + int(number)).deliver()
        desk.wait(DAY).sweep().deliver("bigdata", fates=("refuse",)).deliver("bigdata", fates=("refuse",))
        desk.give_up(activation)
        desk.resend(activation)
        if delivers:
            desk.deliver()
        desk.withdraw(activation).check()
        assert desk.state(trial) == "trialing"
        assert not desk.stuck()


def test_a_withdrawn_activation_gives_back_what_a_given_up_restore_did_not(desk, trialing):
    """A change's restore of a is given up. The withdrawal of a later activation restores a all the same.

    The activation has a separate undoing, which restores the trial's shape (play B10).
    """
    desk.change("C0", "T0", "b").deliver()
    desk.refuses("live", "a")
    desk.withdraw("C0").play_out()
    desk.refuses().activation("A0", "T0")
    desk.give_up("C0").judged()
    assert (desk.state("A0"), desk.live_there("A0")) == ("active", ["a.example.com"])
    desk.withdraw("A0").check()
    desk.stands(T0="trialing", C0="withdrawn", A0="withdrawn", ends={"a": ""}, stuck=())


def test_a_trial_that_never_was_is_not_given_back(desk):
    """The records of a trial are refused and given up, so the trial's message says nothing about its domains.

    The withdrawal of an activation restores no record of this trial (play B11).
    """
    desk.trial("T0", "a").deliver("bigdata", fates=("refuse",))
    desk.give_up("T0").judged()
    assert (desk.state("T0"), desk.ends_there("T0")) == ("ended", {})
    desk.activation("A0", "T0", "a")
    assert desk.state("A0") == "held"
    desk.proceed("A0").judged()
    assert (desk.state("A0"), desk.live_there("A0")) == ("active", ["a.example.com"])
    desk.withdraw("A0").check()
    desk.stands(T0="ended", A0="withdrawn", ends={}, live="", stuck=())


def test_a_given_up_change_that_did_nothing_is_withdrawn_whatever_stands_behind_it(desk, trialing):
    """A change that did nothing is given up and `withdrawn`, although another change waits behind it (play B12)."""
    desk.change("C0", "T0", "ab").deliver("bigdata", fates=("refuse",))
    desk.change("C1", "T0", "ac")
    desk.give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", ends={"a": "", "c": ""}, stuck=())


def test_accepting_a_given_up_cancel_gives_no_domain_of_the_trial_up(desk, trialing):
    """A change is withdrawn, but the cancel of its domain b is given up. Staff accept that b stays live.

    The trial's domain a is restored all the same (play B13).
    """
    desk.change("C0", "T0", "b").deliver()
    desk.refuses("cancel", "b")
    desk.withdraw("C0").play_out()
    desk.refuses().give_up("C0").deliver()
    desk.accept("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", ends={"a": "", "b": ""}, stuck=())


def test_accepting_an_unknown_cancel_gives_no_domain_of_the_trial_up(desk, trialing):
    """A change is withdrawn, and nobody knows whether its domain b was cancelled. Staff accept that b stays live.

    The trial's domain a is restored all the same (play B13).
    """
    desk.setting(retries=[])
    desk.change("C0", "T0", "b").deliver()
    desk.withdraw("C0").deliver("bigdata", fates=("broken",), room=1)
    desk.accept("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", ends={"a": "", "b": ""}, stuck=())


def test_an_activation_behind_a_change_that_was_never_sent_is_planned_without_it(desk, trialing):
    """A change that adds b is withdrawn before it was sent. The activation behind it is planned again without b.

    The reason is that b was never on trial (play B14).
    """
    desk.pause("bigdata")
    desk.change("C0", "T0", "ab")
    desk.activation("A0", "T0").deliver()
    desk.withdraw("C0")
    desk.resume("bigdata").check()
    desk.stands(T0="converted", C0="withdrawn", A0="active", ends={}, live="a", stuck=())


# --- C: what pages say


def test_a_given_up_restore_is_not_called_restored(desk, active):
    """A restore is given up, and so the trial has ended. The activation's page must not say "restored" (play C1)."""
    desk.refuses("live", "a")
    desk.withdraw("A0").play_out()
    desk.refuses().give_up("A0").check()
    assert (desk.state("T0"), desk.state("A0"), desk.ends_there("T0")) == ("ended", "withdrawn", {})
    assert "restored" not in desk.stages("A0")["undo"].note
    assert not desk.stuck()
    desk.look()


def _given_up_deletion(desk):
    """Plays C2 and C5 up to the point where staff give up the deletion of a compensated activation.

    The activation is still billed.
    """
    desk.trial("T0", "a").deliver()
    desk.activation("A0", "T0").deliver()
    desk.refuses("delete", "a")
    desk.compensate("A0").play_out()
    desk.refuses().give_up("A0").judged()
    desk.stands(A0="failed", live="a", stuck={"T0", "A0"})
    assert "billed_not_active" in desk.troubles("A0")
    assert "billed_not_active" in desk.troubles("T0")


def test_a_given_up_deletion_is_not_called_deleted_and_a_withdrawal_deletes_it(desk):
    """The page does not say that a given-up deletion deleted the record. A withdrawal deletes the record (play C2)."""
    _given_up_deletion(desk)
    assert "deleted" not in desk.stages("A0")["undo"].note
    desk.withdraw("A0").check()
    desk.stands(T0="trialing", A0="withdrawn", ends={"a": ""}, live="", stuck=())


def test_resending_a_given_up_deletion_is_offered_and_helps(desk):
    """The page offers to resend a given-up deletion. The desk allows this, and the record is deleted (play C5)."""
    _given_up_deletion(desk)
    offered = desk.offered("A0")
    assert "resend" in offered
    assert "take" not in offered or not desk.take("A0").answer()
    desk.resend("A0").check()
    desk.stands(T0="trialing", A0="failed", ends={"a": ""}, live="")
    # Staff compensated the order, so it stays failed until it is resent or withdrawn.
    assert (desk.names_stuck(), desk.troubles("A0")) == ({"A0"}, ["compensated"])


def test_a_trial_of_which_nothing_is_live_is_named_beside_its_change(desk, trialing):
    """A change cancels a, and the partner refuses b.

    So the trial has no live record, and `stuck` names it (play C3).
    """
    desk.refuses("live", "b")
    desk.change("C0", "T0", "b").play_out().check()
    desk.stands(C0="failed", ends={}, stuck={"T0", "C0"})
    assert desk.troubles("T0")
    assert {"red", "amber"} & {stage.tone for stage in desk.stages("T0").values()}
    desk.look()


def test_a_trial_that_has_run_out_there_is_named_beside_its_change(desk):
    """The partner refuses the end of a change, and the old end has passed.

    So `stuck` names the trial too (play C3).
    """
    desk.trial("T0", "a", end=1).deliver()
    desk.change("C0", "T0", end=5).deliver("bigdata", fates=("refuse",))
    desk.wait(2 * DAY).check()
    desk.stands(T0="trialing", C0="failed", stuck={"T0", "C0"})
    assert {"red", "amber"} & {stage.tone for stage in desk.stages("T0").values()}
    desk.look()


def test_an_opened_order_keeps_no_incident_that_is_over(desk, active):
    """BPM approves an order while it is compensated.

    After the order is opened again, no incident is open (play C4).
    """
    desk.compensate("A0").deliver()
    desk.callback("A0", "pass", "A0-r1")
    desk.resend("A0").check()
    assert (desk.state("T0"), desk.state("A0"), desk.live_there("A0")) == ("converted", "active", ["a.example.com"])
    assert desk.troubles("A0") == []
    assert not desk.stuck()
    desk.look()


def test_an_end_that_a_change_set_is_the_reason_of_a_trials_end(desk, trialing):
    """A trial ends on the last day that a change set. The page says that the trial's last day has passed (play C6)."""
    desk.change("C0", "T0", end=1).deliver()
    desk.wait(2 * DAY).check()
    assert desk.state("T0") == "ended"
    assert desk.stages("T0")["live"].note == "The trial's last day has passed."
    assert not desk.stuck()


def test_an_accepted_late_reject_leaves_nothing_red(desk, active):
    """BPM rejects an active order late, and staff accept this. No stage of the page is red or amber (play C7)."""
    desk.wait(LATE).callback("A0", "reject", "A0-r1").play_out()
    assert "late_undo" in desk.troubles("A0")
    desk.accept("A0").check()
    desk.stands(T0="converted", A0="active", live="a", stuck=())
    assert not {"red", "amber"} & {stage.tone for stage in desk.stages("A0").values()}


def test_a_record_that_a_late_withdrawal_cancelled_is_told(desk, active):
    """A late withdrawal cancels a record.

    The page must not say that nothing had reached the big-data side (play C8).
    """
    desk.wait(LATE).withdraw_by_staff("A0", "cancel").check()
    assert (desk.state("T0"), desk.state("A0"), desk.live_there("A0")) == ("ended", "withdrawn", [])
    assert "Nothing had reached" not in desk.stages("A0")["undo"].note
    assert not desk.stuck()


# --- D: clocks, restores, strict and slow partners


def test_a_pass_counts_for_the_process_that_was_asked_last(desk, active):
    """BPM refuses the first key of an activation and accepts the second. Then the clock is set back.

    BPM's pass must count for the second process (play D1).
    """
    desk.activation("A1", "T0", "b").deliver("bpm", fates=("refuse",)).play_out()
    assert desk.state("A1") == "failed"
    desk.resend("A1").deliver()
    desk.wait(-60).callback("A1", "pass", "A1-r1").check()
    assert (desk.state("A1"), desk.live_there("A1")) == ("active", ["b.example.com"])
    assert not desk.stuck()


def test_a_trial_that_staff_entered_is_asked_about_after_a_restore(desk):
    """Staff entered a trial that BBOSS does not know. After a restore, a file still contains the trial's number.

    The file is beside the attachments. Staff enter the trial again (play D2).
    """
    desk.trial("T1", "b").deliver()
    desk.copy()
    desk.enter("T0", "a", end=3).deliver()
    assert desk.ends_there("T0") == {"a": "20230923"}
    desk.restore()
    files = [file for file in settings.ATTACHMENT_DIR.rglob("*") if file.is_file()]
    assert any("T0" in file.read_text() for file in files)
    desk.check()  # staff enter the trial again, because the page of the restore asks about it
    assert (desk.state("T0"), desk.ends_there("T0")) == ("trialing", {"a": "20230923"})
    # BBOSS's list lacks the trial, which staff may accept. Nothing else is reported about the trial.
    assert [reason.code for row in desk.stuck() for reason in row.reasons] == ["not_listed"]


def test_a_record_that_a_strict_partner_does_not_know_stops_nobody(desk):
    """The creation of b never reached the partner, and its change is withdrawn. The activation behind it goes on.

    The partner refuses to cancel records that it does not have (play D3).
    """
    desk.partner(strict=True)
    desk.setting(retries=[])
    desk.trial("T0", "a").deliver()
    desk.change("C0", "T0", "ab").deliver("bigdata", fates=("broken",))
    desk.activation("A0", "T0")
    desk.withdraw("C0").check()
    desk.stands(T0="converted", C0="withdrawn", A0="active", ends={}, live="a", stuck=())


def test_an_activation_cancels_what_a_strict_partner_knows(desk):
    """Somebody deleted b at a partner that refuses to cancel records that it does not have.

    So it refuses the whole cancel of an activation. The cancel of a is sent again alone (play D3).
    """
    desk.partner(strict=True)
    desk.trial("T0", "ab").deliver()
    desk.meddle("T0", "b", "delete")
    desk.activation("A0", "T0").check()
    desk.stands(T0="converted", A0="active", ends={}, live="ab", stuck=())


def test_an_incident_of_a_change_ends_when_the_order_that_explains_it_is_here(desk, trialing):
    """After a restore, a change's creation finds its record cancelled, and an incident names the change.

    BBOSS sends the activation that had cancelled the record again. This ends the incident (play D4).
    """
    desk.copy()
    desk.change("C0", "T0", "ab").deliver()
    desk.activation("A0", "T0").judged().restore().check()
    assert (desk.troubles("C0"), desk.troubles("T0")) == ([], [])
    desk.callback("A0", "pass", "A0-r1").check()
    desk.stands(T0="converted", C0="applied", A0="active", ends={}, live="ab", stuck=())


def test_a_creation_that_lands_after_the_refusal_of_its_repeat_is_taken_back(desk, trialing):
    """BBOSS has withdrawn an order. Its creation is carried out late, after the refusal of the call's repeat.

    The desk must take the record back (play D5).
    """
    desk.activation("A0", "T0").deliver("bigdata", fates=("ok", "ok", "late"), room=1).next_moment()
    desk.deliver("bigdata", fates=("refuse",), room=1)
    desk.withdraw("A0").deliver()
    assert desk.state("A0") == "compensating"  # the first call may still act
    desk.check()
    desk.stands(T0="trialing", A0="withdrawn", ends={"a": ""}, live="", stuck=())


def test_a_trials_cancel_that_lands_after_its_restore_is_taken_back(desk, trialing):
    """A trial's cancel is carried out late, after an activation's withdrawal restored the record.

    The desk must restore the record once more (play D6).
    """
    desk.activation("A0", "T0").deliver("bigdata", fates=("ok", "late"), room=1).next_moment()
    desk.refuses("cancel", "a").deliver()
    desk.withdraw("A0").deliver().check()
    desk.stands(T0="trialing", A0="withdrawn", ends={"a": ""}, live="", stuck=())


LETTERS, ASCII = "münchen.example.com", "xn--mnchen-3ya.example.com"


def test_a_host_in_letters_and_its_ascii_form_are_doubles(desk):
    """A message is refused if it has a host name in Unicode and the same name in ASCII form.

    Both are one domain (play D7).
    """
    assert "ProvContent" in desk.trial("T0", (LETTERS, ASCII)).answer()
    assert desk.accepted == {}


def test_a_host_in_letters_and_its_ascii_form_are_one_domain(desk):
    """A change and an activation give the ASCII form of a host name that the trial gave in Unicode.

    The change changes nothing, and the domain is billed once (play D7).
    """
    desk.trial("T0", (LETTERS,)).deliver()
    desk.change("C0", "T0", (ASCII,)).deliver()
    assert desk.state("C0") == "applied"
    assert desk.posts("T0") == ["live münchen"]
    assert desk.live_there("T0") == [LETTERS]
    desk.activation("A0", "T0", (ASCII,)).check()
    assert (desk.state("T0"), desk.state("A0"), desk.live_there("T0")) == ("converted", "active", [])
    assert len(desk.live_there("A0")) == 1
    assert not desk.stuck()


# --- E: worked out by hand


def test_what_a_later_change_added_has_the_end_without_the_withdrawn_one(desk):
    """A change adds b after another change moved the end. The other change is withdrawn.

    Then b has the trial's own end, like a (play E1).
    """
    desk.trial("T0", "a", end=3).deliver()
    desk.change("C0", "T0", end=10).deliver()
    desk.change("C1", "T0", "ab").deliver()
    assert desk.ends_there("T0") == {"a": "20230930", "b": "20230930"}
    desk.withdraw("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", ends={"a": "20230923", "b": "20230923"}, stuck=())


def test_what_a_later_change_added_has_the_service_without_the_withdrawn_one(desk, trialing):
    """A change adds b after another change gave a new service. The other change is withdrawn.

    Then b has the trial's own service, like a (play E2).
    """
    desk.change("C0", "T0", service="4").deliver()
    desk.change("C1", "T0", "ab").deliver()
    assert desk.services_there("T0") == {"a": "4", "b": "4"}
    desk.withdraw("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", services={"a": "1", "b": "1"}, stuck=())


def test_a_change_on_which_a_scheduled_activation_was_built_is_undone_before_its_day(desk, trialing):
    """A change on which a scheduled activation was built is withdrawn before the start day.

    Incidents name both orders. The activation is compensated and resent, and so planned again without the change (play
    E3).
    """
    desk.change("C0", "T0", "ab").deliver()
    desk.activation("A0", "T0", start=7).deliver()
    assert (desk.state("A0"), sorted(desk.ends_there("A0"))) == ("scheduled", ["a", "b"])
    desk.wait(2 * DAY).withdraw("C0").judged()
    desk.stands(T0="trialing", C0="withdrawn", A0="scheduled", ends={"a": ""})
    assert (desk.troubles("A0"), desk.troubles("C0")) == (["change_built_upon"], ["change_built_upon"])
    desk.compensate("A0").play_out()
    desk.resend("A0").judged()
    assert (desk.state("A0"), desk.live_there("A0")) == ("scheduled", ["a.example.com"])
    assert (desk.troubles("A0"), desk.troubles("C0")) == (["process_differs"], [])
    desk.check()
    desk.stands(T0="converted", A0="active", ends={}, live="a", stuck={"A0"})


def test_an_activation_starts_though_the_change_that_revived_its_trial_was_withdrawn(desk):
    """A change revived an ended trial, and an activation was scheduled. Then the change is withdrawn.

    The activation starts all the same, and incidents name both orders (play E4).
    """
    desk.trial("T0", "a", end=1).deliver()
    desk.wait(2 * DAY).sweep()
    desk.change("C0", "T0", end=9).deliver()
    desk.activation("A0", "T0", start=7).deliver()
    assert (desk.state("T0"), desk.state("A0")) == ("trialing", "scheduled")
    desk.wait(2 * DAY).withdraw("C0").judged()
    desk.stands(T0="ended", C0="withdrawn", A0="scheduled", ends={})
    assert (desk.troubles("A0"), desk.troubles("C0")) == (["change_built_upon"], ["change_built_upon"])
    desk.check()
    desk.stands(A0="active", ends={}, live="a", stuck={"A0", "C0"})


def test_a_late_undoings_ending_stands_without_what_revived_the_trial(desk, active):
    """A late undoing ended a trial that has no end of its own. A change that revived the trial is withdrawn.

    The trial has ended again (play E5).
    """
    desk.wait(LATE).withdraw("A0")
    desk.withdraw_by_staff("A0", "cancel").judged()
    assert (desk.state("T0"), desk.state("A0")) == ("ended", "withdrawn")
    desk.change("C9", "T0", end=10).judged()
    assert (desk.state("T0"), desk.ends_there("T0")) == ("trialing", {"a": "20230930"})
    desk.withdraw("C9").check()
    desk.stands(T0="ended", C9="withdrawn", ends={}, stuck=())


def test_a_restore_makes_nothing_of_a_change_that_waits_for_the_claim(desk, active):
    """A change is held because an activation has claimed the trial. Then the activation is withdrawn.

    The change is planned when the claim is released, after the restore (play E6).
    """
    desk.change("C5", "T0", "ab")
    assert desk.state("C5") == "held"
    desk.withdraw("A0").check()
    assert desk.posts("T0") == ["live a", "cancel a", "live a", "live b"]
    desk.stands(T0="trialing", C5="applied", A0="withdrawn", ends={"a": "", "b": ""}, stuck=())


def test_a_given_up_cancel_says_nothing_about_its_domains(desk, trialing):
    """The cancels of a change are given up, so the change does not decide about their domains a and x.

    Domain a stays on trial, because the trial's own message contains a. When the change that added x is withdrawn, x
    is cancelled (play E7).
    """
    desk.change("C0", "T0", "ax").deliver()
    desk.refuses("cancel", "ax")
    desk.change("C1", "T0", "c").play_out()
    desk.refuses().give_up("C1").judged()
    assert (desk.state("T0"), desk.state("C1"), sorted(desk.ends_there("T0"))) == ("trialing", "applied", [*"acx"])
    assert not desk.stuck()
    desk.withdraw("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", ends={"a": "", "c": ""}, stuck=())


def test_what_staff_entered_is_the_trials_message(desk):
    """Staff entered a trial, and BBOSS sends other content with the same number.

    The entered content counts (play E8).
    """
    desk.enter("T0", "a").deliver()
    desk.trial("T0", "ab")
    assert desk.troubles("T0") == ["entered_differs"]
    desk.change("C0", "T0", end=5).deliver()
    assert desk.ends_there("T0") == {"a": "20230925"}
    desk.withdraw("C0").judged()
    assert (desk.state("T0"), desk.ends_there("T0")) == ("trialing", {"a": ""})
    desk.activation("A0", "T0").check()
    assert (desk.state("T0"), desk.state("A0"), desk.live_there("A0")) == ("converted", "active", ["a.example.com"])
    assert desk.troubles("T0") == ["entered_differs"]


def test_an_extension_that_was_answered_from_memory_is_not_done(desk):
    """The answer to an extension is 409, and the record still has the old end.

    So the extension is not done (play E9).
    """
    desk.trial("T0", "a", end=3).deliver()
    desk.change("C0", "T0", end=5).deliver("bigdata", fates=("409",)).judged()
    assert (desk.state("C0"), desk.ends_there("T0")) == ("failed", {"a": "20230923"})
    assert "acted_before" in desk.troubles("C0")
    assert desk.names_stuck() == {"T0", "C0"}
    desk.resend("C0").check()
    desk.stands(T0="trialing", C0="applied", ends={"a": "20230925"}, stuck=())


def test_a_creation_that_lands_after_the_cancel_of_its_change_is_cancelled_again(desk, trialing):
    """A change is withdrawn. Then its creation is carried out a second time, by a call that got no answer.

    Only the repeat of this call was accepted before. The desk must cancel the record again (play E10).
    """
    desk.change("C0", "T0", "ab").deliver("bigdata", fates=("late",)).next_moment().deliver()
    assert (desk.state("C0"), desk.ends_there("T0")) == ("applied", {"a": "", "b": ""})
    desk.withdraw("C0").deliver()
    assert desk.ends_there("T0") == {"a": ""}
    desk.check()
    assert (desk.state("T0"), desk.state("C0"), desk.ends_there("T0")) == ("trialing", "withdrawn", {"a": ""})
    assert desk.posts("T0")[-1] == "cancel b"
    assert not desk.stuck()


def test_a_refused_put_back_that_is_resent_after_the_trials_end_is_a_cancel(desk):
    """The restore of an earlier end is refused, and then this end passes. A resend cancels the record (play E11)."""
    desk.trial("T0", "a", end=3).deliver()
    desk.change("C0", "T0", end=10).deliver()
    desk.refuses("live", "a")
    desk.withdraw("C0").play_out()
    desk.refuses().wait(4 * DAY).judged()
    desk.stands(T0="ended", ends={"a": "20230930"}, stuck={"T0", "C0"})
    desk.resend("C0").check()
    assert (desk.state("T0"), desk.state("C0"), desk.ends_there("T0")) == ("ended", "withdrawn", {})
    assert desk.posts("T0")[-1] == "cancel a"
    assert not desk.stuck()


def test_an_undoing_that_is_sent_after_the_trials_end_restores_nothing(desk):
    """An undoing is planned ten minutes before midnight and sent after the trial's last day.

    It restores nothing (play E12).
    """
    desk.trial("T0", "a", end=0).deliver()
    desk.activation("A0", "T0").deliver()
    desk.wait(17700).withdraw("A0")
    desk.wait(1200).check()
    assert (desk.state("T0"), desk.state("A0")) == ("ended", "withdrawn")
    assert (desk.posts("T0"), desk.live_there("A0")) == (["live a", "cancel a"], [])
    assert not desk.stuck()


def test_a_withdrawn_trial_is_cancelled_at_a_strict_partner_beside_what_never_came(desk):
    """The creation of b timed out, and the partner never received it. The withdrawn trial is cancelled all the same.

    The partner refuses to cancel records that it does not have (play E13).
    """
    desk.partner(strict=True)
    desk.setting(retries=[])
    desk.trial("T0", "a").deliver()
    desk.change("C0", "T0", "ab").deliver("bigdata", fates=("broken",))
    desk.withdraw("T0").check()
    desk.stands(T0="withdrawn", C0="withdrawn", ends={}, stuck=())


def test_taking_a_start_that_was_moved_by_hand_moves_the_start_day(desk, trialing):
    """Somebody moves a start at the partner, and staff take the record. The start day moves.

    The trial is cancelled on the new day (play E14).
    """
    desk.activation("A0", "T0", start=10).deliver()
    desk.meddle("A0", "a", "start", to=5).reconcile()
    assert desk.troubles("A0") == ["difference"]
    desk.take("A0").judged()
    desk.stands(T0="trialing", A0="scheduled", ends={"a": ""}, stuck=())
    desk.wait(5 * DAY).sweep().deliver()
    assert (desk.state("T0"), desk.state("A0"), desk.ends_there("T0")) == ("converted", "active", {})
    desk.check()
    assert not desk.stuck()


def test_an_order_is_not_taken_with_records_that_end(desk, trialing):
    """Staff can't take a record that has an end for an activation, because an activation has no end.

    If the record ended, the customer would have service and pay nothing.
    """
    desk.activation("A0", "T0", start=1).deliver()
    desk.meddle("A0", "a", "end", to=3).reconcile()
    desk.take("A0")
    desk.wait(5 * DAY).sweep().deliver().judged()
    assert (desk.state("A0"), desk.troubles("A0")) == ("active", ["difference"])
    desk.reconcile(fix=True).deliver().check()
    assert not desk.stuck()


def test_a_domain_that_ran_out_and_comes_back_is_made_again(desk):
    """A record ended on an earlier last day of the trial, while a change omitted its domain.

    A later change brings the domain back, so the record must be created again.
    """
    desk.trial("T0", "b", end=0).deliver()
    desk.wait(DAY).change("C0", "T0", "d", end=10).deliver()
    desk.change("C1", "T0", "ab", end=4).check()
    desk.stands(T0="trialing", ends={"a": "20230924", "b": "20230924"}, stuck=())


def test_a_late_creation_brings_no_domain_back_that_a_change_dropped(desk):
    """A trial's creation acts late, after a change cancelled one of the domains. The look-ups show this.

    The desk must cancel the domain again.
    """
    desk.trial("T0", "bc", end=1)
    desk.change("C0", "T0", "b", end=5).deliver("bigdata", fates=("late",), room=1).check()
    desk.stands(T0="trialing", C0="applied", ends={"b": "20230925"}, stuck=())


def test_a_late_creation_does_not_shorten_what_a_change_extended(desk):
    """A trial's creation acts late, after a change extended the end, and so sets the old end again.

    No domain was removed. The records must get the later end again.
    """
    desk.trial("T0", "bc", end=1)
    desk.change("C0", "T0", "bc", end=5).deliver("bigdata", fates=("late",), room=1).check()
    desk.stands(ends={"b": "20230925", "c": "20230925"}, stuck=())


def test_a_late_extension_does_not_outlive_the_next_one(desk):
    desk.trial("T0", "b", end=1).deliver()
    desk.change("C0", "T0", end=9).deliver("bigdata", fates=("late",), room=1)
    desk.change("C1", "T0", end=3).check()
    desk.stands(ends={"b": "20230923"}, stuck=())


def test_a_late_cancel_takes_no_domain_that_the_next_change_brought_back(desk):
    desk.trial("T0", "bc").deliver()
    desk.change("C0", "T0", "b").deliver("bigdata", fates=("late",), room=1)
    desk.change("C1", "T0", "bc").check()
    assert desk.ends_there("T0").keys() == {"b", "c"}
    assert not desk.stuck()


def test_a_look_whose_order_is_undone_meanwhile_plans_nothing(desk):
    """An activation is undone while the look-up after its cancel is in progress, because its creation is refused.

    The look-up must plan nothing for the activation.
    """
    desk.trial("T0", "d").deliver("bigdata", fates=("late",), room=1)
    desk.press("T0", "resend", 1)
    desk.activation("A0", "T0", "abc")
    desk.refuses("live", "ab").deliver().check()
    assert (desk.state("T0"), desk.state("A0"), desk.ends_there("T0")) == ("trialing", "failed", {"d": ""})


def test_a_late_undoings_cancel_that_lands_late_does_not_end_its_records_sooner_than_ours(desk):
    """The cancel of a late undoing gets no answer, and its repeat is refused. So the first call may still act.

    The cancel is sent once more after the time until which the first call may act.
    """
    desk.trial("T0", "a")
    desk.activation("A0", "T0", "bc", start=1)
    desk.wait(2 * DAY).deliver("bigdata", "bpm", fates=("ok", "before"), room=1)
    desk.press("A0", "withdraw", 2).deliver("bigdata", fates=("late",)).next_moment()
    desk.deliver("bigdata", fates=("refuse",)).check()
    assert (desk.state("T0"), desk.state("A0"), desk.live_there("A0")) == ("ended", "withdrawn", [])


def test_the_last_look_makes_up_for_one_that_was_refused(desk):
    """A look-up is refused, and the last look-up shows that nothing is wrong. So no step stays failed."""
    desk.trial("T0", "a").deliver("bigdata", fates=("late",))
    desk.wait(31).deliver()
    desk.activation("A0", "T0").deliver("bigdata", fates=("ok", "ok", "ok", "refuse"))
    assert desk.troubles("A0") == ["code_400"]
    desk.deliver()
    desk.wait(700).sweep().deliver()
    assert (desk.state("A0"), desk.troubles("A0")) == ("active", [])
    assert not Dispatch.objects.current().filter(state=Dispatch.State.FAILED).exists()
    desk.check()


def test_a_call_whose_worker_died_ends_though_its_order_is_planned_anew(desk):
    """A worker dies in a query of traffic, and the order is planned again. The step and its attempt must end.

    The order is held now, because its trial has ended.
    """
    desk.trial("T0", "b", end=1).deliver()
    desk.change("C0", "T0", end=2)
    desk.activation("A0", "T0")
    desk.dies(3).deliver()
    desk.wait(2 * DAY).withdraw("C0")
    assert desk.state("A0") == "held"
    desk.check()
    assert not Dispatch.objects.filter(state=Dispatch.State.SENDING).exists()
    assert not Attempt.objects.filter(outcome=Attempt.Outcome.OPEN).exists()


def test_a_given_up_change_on_which_an_activation_was_billed_is_named(desk, trialing):
    """A change is given up after a scheduled activation behind it was billed with the change's domains.

    Incidents name both orders (play E15).
    """
    desk.change("C0", "T0", "ab").deliver("bigdata", fates=("refuse",))
    desk.activation("A0", "T0", start=7).deliver()
    assert sorted(desk.ends_there("A0")) == ["a", "b"]
    desk.give_up("C0").judged()
    desk.stands(T0="trialing", C0="withdrawn", A0="scheduled", ends={"a": ""})
    assert (desk.troubles("A0"), desk.troubles("C0")) == (["change_built_upon"], ["change_built_upon"])
    desk.check()
    desk.stands(T0="converted", A0="active", live="ab", stuck={"A0", "C0"})


def test_a_service_change_that_was_half_done_is_put_back(desk):
    """A change of the service is half done: its cancel was carried out, and its new records were refused.

    After staff give the change up, the records have the old service again (play E16).
    """
    desk.trial("T0", "ab").deliver()
    desk.refuses("live", "ab")
    desk.change("C0", "T0", service="4").play_out()
    assert (desk.state("C0"), desk.services_there("T0")) == ("failed", {})
    desk.refuses().give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", services={"a": "1", "b": "1"}, stuck=())


@pytest.mark.parametrize("fate", ["lost", "broken"])
def test_an_extension_that_is_tried_again_is_repeated_and_then_put_back(desk, fate):
    """An extension is withdrawn while the result of its first call is unknown.

    The call is repeated, and then the old end is restored (play E17).
    """
    desk.trial("T0", "a", end=3).deliver()
    desk.change("C0", "T0", end=5).deliver("bigdata", fates=(fate,))
    desk.withdraw("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", ends={"a": "20230923"}, stuck=())


def test_an_accepted_end_that_a_change_reset_is_accepted_no_more(desk):
    """Staff accept an end that differs, and a change sets another end. Then somebody sets the accepted end again.

    The difference must be open again (play E18).
    """
    desk.trial("T0", "a", end=3).deliver()
    desk.meddle("T0", "a", "end", to=5).reconcile()
    desk.accept("T0").judged()
    assert not desk.stuck()
    desk.change("C0", "T0", end=10).deliver()
    assert (desk.state("C0"), desk.ends_there("T0")) == ("applied", {"a": "20230930"})
    desk.meddle("T0", "a", "end", to=5).check()
    assert desk.troubles("T0") == ["difference"]


def test_a_trials_creation_that_lands_after_an_activations_cancel_is_cancelled_again(desk):
    """A trial's creation acts late, after an activation's cancel. The desk must cancel the record again.

    A forward cancel, like an undoing, also undoes what an unanswered creation may still do. Found by the model with
    late calls.
    """
    desk.trial("T0", "a").deliver("bigdata", fates=("late",), room=1)
    desk.activation("A0", "T0").next_moment().deliver()
    assert (desk.state("A0"), desk.ends_there("T0")) == ("active", {})
    desk.check()
    desk.stands(T0="converted", A0="active", ends={}, live="a", stuck=())


def test_an_activation_held_for_files_behind_a_withdrawn_change_sends_nothing_and_is_not_built_upon(desk):
    """An activation that is held for its files has sent nothing. So it is not built upon a withdrawn change.

    Found by the interleavings (tests/interleave): its replaced check never ended, and an incident named the
    activation.
    """
    desk.trial("T0", "a", end=1).deliver()
    desk.wait(2 * DAY).sweep()
    desk.change("C0", "T0", "ab", end=9).deliver("bigdata", fates=("refuse",))
    desk.activation("A0", "T0", files=True).deliver()
    assert desk.troubles("A0") == ["missing"]
    desk.withdraw("C0").check()
    assert (desk.state("T0"), desk.state("C0"), desk.state("A0")) == ("ended", "withdrawn", "held")
    assert (desk.troubles("A0"), desk.troubles("C0")) == (["trial_closed"], [])


def test_a_shape_that_is_folded_anew_goes_by_number_where_the_clock_was_set_back(desk):
    """A withdrawal computes the shape again, by the numbers of the changes and not by the clock.

    The older change must not override the newer one, although the clock shows a later time for the older change.
    """
    desk.trial("T0", "abc").deliver()
    desk.change("C0", "T0", "ab")
    desk.wait(-4).change("C1", "T0", "a")
    desk.change("C2", "T0", end=5).deliver()
    desk.withdraw("C2").check()
    desk.stands(T0="trialing", C2="withdrawn", ends={"a": ""}, stuck=())


def test_a_change_is_named_that_is_taken_back_behind_an_activations_failed_deletion(desk):
    """The restore of a withdrawn change waits behind an activation's failed deletion. `stuck` names both orders.

    Found by the interleavings (tests/interleave): the restore waits in the trial's lane, which is the line of its
    billing steps. The failed step in front of the restore is not in that lane.
    """
    desk.trial("T0", "ab", end=1).deliver()
    desk.change("C0", "T0", end=0).deliver()
    desk.activation("A0", "T0").deliver()
    desk.refuses("delete", "a")
    desk.callback("A0", "reject", "r1").deliver()
    assert desk.state("A0") == "compensating"
    desk.withdraw("C0").deliver()
    assert desk.state("C0") == "compensating"
    assert desk.names_stuck() >= {"A0", "C0"}
    desk.judged()
    desk.refuses().resend("A0").check()
    desk.stands(A0="rejected", C0="withdrawn", stuck=())


def test_only_a_change_that_names_a_later_end_lets_an_ended_trial_run_on(desk):
    """A change revived an ended trial, and the next change names no end. Then the reviving change is withdrawn.

    The trial has ended again.
    """
    desk.trial("T0", "a", end=20).deliver()
    desk.activation("A0", "T0").judged()
    desk.wait(LATE).withdraw_by_staff("A0", how="delete").judged()
    assert desk.state("T0") == "ended"
    desk.change("C0", "T0", end=30)
    desk.change("C1", "T0", "ab").judged()
    assert desk.state("T0") == "trialing"
    desk.withdraw("C0").check()
    desk.stands(T0="ended", C0="withdrawn", ends={}, stuck=())


def test_giving_up_the_cancel_of_the_old_service_sends_nothing_for_its_records(desk, trialing):
    """The cancel of the old service is given up. The old records stay live beside the new ones.

    Incidents name the trial and the change.
    """
    desk.refuses("cancel", "a")
    desk.change("C0", "T0", service="4").play_out()
    desk.refuses().give_up("C0").judged()
    assert (desk.state("T0"), desk.state("C0"), desk.services_there("T0")) == ("trialing", "applied", {"a": "1 4"})
    assert desk.posts("T0") == ["live a", "live a"]
    assert desk.names_stuck() == {"T0", "C0"}


def test_a_service_that_only_some_records_have_is_put_back(desk):
    """Somebody cancels a record that a change of the service created, and staff give the change up.

    So the change did not give every domain the new service, and the old service is restored.
    """
    desk.setting(retries=[])
    desk.trial("T0", "ab").deliver()
    desk.change("C0", "T0", service="4").deliver("bigdata", fates=("ok", "lost"))
    assert (desk.state("C0"), desk.services_there("T0")) == ("failed", {"a": "4", "b": "4"})
    desk.meddle("T0", "a", "cancel")
    desk.give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", services={"a": "1", "b": "1"}, stuck=())


def test_an_activation_cancels_what_a_given_up_cancel_left(desk, trialing):
    """An activation cancels all records of its trial, whatever their service (contract 3.9, 13).

    This includes records that a given-up cancel left live, whose incidents end.
    """
    desk.refuses("cancel", "a")
    desk.change("C0", "T0", service="4").play_out()
    desk.refuses().give_up("C0").deliver()
    assert desk.services_there("T0") == {"a": "1 4"}
    desk.activation("A0", "T0", "a").check()
    desk.stands(T0="converted", A0="active", services={}, stuck=())


def test_accepting_moves_a_withdrawn_activation_once(desk):
    """A comparison ends the given-up cancel of a withdrawn activation, and this moves the order to its final state.

    The acceptance that follows must not move the order once more. The history had this move twice.
    """
    desk.trial("T0", "ab", end=2).deliver()
    desk.setting(retries=[])
    desk.activation("A0", "T0", "abc")
    desk.deliver("bigdata", "bpm", fates=("garbage", "refuse", "ok", "lost"), room=1).next_moment()
    desk.change("C2", "T0", "d", service="1", end=0, flow="2")
    desk.press("C2", "withdraw", 2).deliver("bigdata", fates=("garbage",)).mend("withdraw first")
    assert desk.state("A0") == "withdrawn"


def test_a_failed_repeat_of_a_creation_keeps_its_incident(desk):
    """The look-up of a repeated creation is refused, so the creation keeps its incident.

    A change's cancel explains a creation that found its records cancelled. It does not explain a refused look-up.
    """
    desk.trial("T0", "d").deliver()
    desk.setting(retries=[])
    desk.resend("T0", force=True, channel="billing")
    desk.change("C0", "T0", "d", flow="2").deliver("bigdata", "bpm", fates=("before", "refuse"), room=1)
    desk.check()
    assert "T0" in desk.names_stuck()


def test_a_look_sends_nothing_for_records_that_were_given_up(desk):
    """A look-up must send nothing for records whose creation was refused and given up.

    The change's extension is looked up, because the trial's creation may still act. The change's own creation is
    decided after that look-up. The look-up created records that nobody wanted any more.
    """
    desk.trial("T0", "a").deliver("bigdata", "bpm", fates=("lost",), room=1).next_moment().deliver()
    desk.change("C0", "T0", "abc", end=0).deliver("bigdata", fates=("refuse",)).mend("give up first")
    desk.stands(C0="applied", T0="trialing", services={"a": "1"})


def test_a_record_that_an_ended_trial_lost_is_not_accepted_with_another(desk):
    desk.trial("T0", "cd", end=1).deliver().change("C0", "T0", "a", end=1, flow="2").deliver()
    desk.withdraw("C0").deliver().wait(3 * DAY).sweep().deliver()
    assert desk.state("T0") == "ended"
    desk.meddle("T0", "a", "live").reconcile("T0").meddle("T0", "c", "cancel").press("T0", "accept")
    assert desk.answer()
    assert not desk.press("T0", "accept").check().answer()


def test_a_given_up_deletion_is_not_accepted_once_its_record_is_gone(desk):
    """A given-up deletion is not accepted as still billed once its record is gone at the partner.

    Otherwise the acceptance would end the trial that the order has claimed.
    """
    _given_up_deletion(desk)
    desk.meddle("A0", "a", "delete").press("A0", "accept")
    assert desk.answer()
    desk.deliver().check()
    assert "billed_not_active" not in [*desk.troubles("A0"), *desk.troubles("T0")]
    assert (desk.state("T0"), desk.state("A0")) == ("trialing", "failed")
