"""Plays about the shape of a trial (contract 3.9, 19), found by a person's own model and by hand. Remove none.

The docstring of each test has the number of its play. A to D are the plays of the independent model. E are plays found
while the rule was worked out by hand. Days count from 20 September 2023: `end=3` is the 23rd.
"""

import pytest
from django.conf import settings

from orders.models import Attempt, Dispatch

DAY = 86400
LATE = 3 * DAY  # after this time nothing that is billed is undone automatically


@pytest.fixture
def trialing(desk):
    desk.trial("T0", "a").deliver()


@pytest.fixture
def active(desk, trialing):
    desk.activation("A0", "T0").deliver()


# --- A: the end day of a trial's records


def test_a_withdrawn_extension_leaves_no_record_running_on(desk):
    """A1: the old end has passed."""
    desk.trial("T0", "a", end=1).deliver()
    desk.change("C0", "T0", end=5).deliver()
    desk.wait(3 * DAY).withdraw("C0").check()
    desk.stands(T0="ended", C0="withdrawn", ends={}, stuck=())


def test_a_withdrawn_extension_that_revived_a_trial_leaves_no_record_running_on(desk):
    """A2."""
    desk.trial("T0", "a", end=1).deliver()
    desk.wait(2 * DAY).sweep()
    assert desk.state("T0") == "ended"
    desk.change("C0", "T0", end=5).deliver()
    assert (desk.state("T0"), desk.ends_there("T0")) == ("trialing", {"a": "20230925"})
    desk.wait(DAY).withdraw("C0").check()
    desk.stands(T0="ended", C0="withdrawn", ends={}, stuck=())


@pytest.mark.parametrize(("end", "told"), [(3, "20230923"), (None, "")])
def test_a_domain_that_a_later_change_brought_back_has_the_trials_end_again(desk, end, told):
    """A3, and A4 for a trial without an end."""
    desk.trial("T0", "ab", end=end).deliver()
    desk.change("C0", "T0", "a", end=6).deliver()
    desk.change("C1", "T0", "ab").deliver()
    assert desk.ends_there("T0") == {"a": "20230926", "b": "20230926"}
    desk.withdraw("C1").deliver()
    desk.withdraw("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="withdrawn", ends={"a": told, "b": told}, stuck=())


def test_an_end_that_some_records_refused_is_put_back_for_the_others(desk):
    """A5: b was added, and already has the trial's end."""
    desk.trial("T0", "a", end=3).deliver()
    desk.refuses("live", "a")
    desk.change("C0", "T0", "ab", end=10).play_out()
    desk.stands(C0="failed", stuck={"T0", "C0"})
    desk.refuses().give_up("C0").check()
    desk.stands(T0="trialing", C0="applied", ends={"a": "20230923", "b": "20230923"}, stuck=())


def test_a_domain_whose_cancel_was_given_up_keeps_the_trial_at_its_end(desk):
    """A6: the cancel of a was refused. So a is still on trial, and its end still counts."""
    desk.trial("T0", "a", end=2).deliver()
    desk.refuses("cancel", "a")
    desk.change("C0", "T0", "b", end=9).play_out()
    desk.refuses().give_up("C0").check()
    desk.stands(T0="trialing", C0="applied", ends={"a": "20230922", "b": "20230922"}, stuck=())


def _given_up_put_back(desk):
    """A7: the partner refuses to remove an end, and staff give that step up."""
    desk.trial("T0", "a").deliver()
    desk.change("C0", "T0", end=5).deliver()
    desk.refuses("live", "a")
    desk.withdraw("C0").play_out()
    desk.refuses().give_up("C0").judged()
    desk.stands(T0="trialing", C0="withdrawn", ends={"a": "20230925"}, stuck={"T0", "C0"})
    assert "difference" in desk.troubles("T0")
    assert "difference" in desk.troubles("C0")


def test_a_put_back_that_was_given_up_is_named_until_it_is_resent(desk):
    """A7: the step is not sent automatically."""
    _given_up_put_back(desk)
    desk.resend("C0").check()
    desk.stands(T0="trialing", ends={"a": ""}, stuck=())


def test_a_put_back_that_was_given_up_is_named_until_it_is_accepted(desk):
    """A7: the record keeps the end that it has at the partner."""
    _given_up_put_back(desk)
    desk.accept("T0").check()
    desk.stands(ends={"a": "20230925"}, stuck=())


def test_an_extension_that_never_came_did_nothing(desk):
    """A8: another change waits behind it."""
    desk.setting(retries=[])
    desk.trial("T0", "a", end=3).deliver()
    desk.change("C0", "T0", end=5).deliver("bigdata", fates=("broken",))
    desk.change("C1", "T0", "ab")
    desk.give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", ends={"a": "20230923", "b": "20230923"}, stuck=())


def test_an_end_that_staff_took_is_the_trials(desk):
    """A9: the trial runs to 31 December."""
    desk.trial("T0", "a", end=3).deliver()
    desk.meddle("T0", "a", "end", to=102).reconcile()
    assert desk.troubles("T0") == ["difference"]
    desk.take("T0")
    desk.wait(4 * DAY).check()
    desk.stands(T0="trialing", ends={"a": "20231231"}, stuck=())
    desk.wait(99 * DAY).check()
    desk.stands(T0="ended", stuck=())


def test_a_taken_end_counts_until_a_change_that_names_one(desk):
    """A9: the change is planned with the end that staff took."""
    desk.trial("T0", "a", end=3).deliver()
    desk.meddle("T0", "a", "end", to=9).reconcile()
    desk.take("T0")
    desk.change("C0", "T0", "ab").deliver()
    assert desk.ends_there("T0") == {"a": "20230929", "b": "20230929"}
    desk.change("C1", "T0", end=5).check()
    desk.stands(ends={"a": "20230925", "b": "20230925"}, stuck=())


def test_a_trial_runs_on_once_its_refused_shortening_is_given_up(desk):
    """A10."""
    desk.trial("T0", "a", end=9).deliver()
    desk.change("C0", "T0", end=2).deliver("bigdata", fates=("refuse",))
    desk.wait(4 * DAY).sweep()
    desk.stands(T0="ended", stuck={"T0", "C0"})
    desk.give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", ends={"a": "20230929"}, stuck=())


@pytest.mark.parametrize(("old", "new", "last"), [(3, 5, 6), (5, 2, 3)])
def test_an_end_that_was_moved_though_the_answers_were_lost_counts(desk, old, new, last):
    """A11, and A12 for a shortening: both look-ups show the new end."""
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
    """B1: b is intended again, so nothing of the cancel remains, and its incident is over."""
    desk.change("C0", "T0", "ab").deliver()
    desk.refuses("cancel", "b")
    desk.withdraw("C0").play_out()
    desk.change("C1", "T0", "ab")
    desk.refuses().give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", ends={"a": "", "b": ""}, stuck=())
    desk.resend("C0").check()
    desk.stands(ends={"a": "", "b": ""}, stuck=())


def test_a_withdrawn_activation_does_not_give_back_what_a_withdrawn_change_added(desk, trialing):
    """B2: the change's cancel had been given up. The activation cancelled the record, which ends the incident."""
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
    """B3: whether the new service counts depends on what the change did. Both services never count at once."""
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
    """B4: the waiting change creates a again, because its own message contains a."""
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
    """B5."""
    desk.change("C0", "T0", "b").deliver()
    desk.refuses("live", "a")
    desk.withdraw("C0").play_out()
    desk.change("C1", "T0", "ac")
    desk.refuses().give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", ends={"a": "", "c": ""}, stuck=())


@pytest.mark.parametrize("fate", ["refuse", "lost", "broken"])
@pytest.mark.parametrize("way", ["give_up", "resend"])
def test_a_withdrawn_trial_takes_over_a_failed_restore(desk, trialing, fate, way):
    """B6 to B8: no step makes a withdrawn trial live again, and no answer stops the worker."""
    desk.setting(retries=[])
    desk.change("C0", "T0", "b").deliver()
    desk.withdraw("C0").deliver("bigdata", fates=("ok", fate), room=1)
    desk.withdraw("T0")
    getattr(desk, way)("C0")
    desk.check()
    desk.stands(T0="withdrawn", C0="withdrawn", ends={}, stuck=())


def test_a_start_days_cancel_that_the_look_ups_show_carried_out_converts_the_trial(desk, trialing):
    """B9: the answers to the cancel were lost, and staff gave it up."""
    desk.setting(retries=[])
    desk.activation("A0", "T0", start=1).deliver()
    desk.wait(DAY).sweep().deliver("bigdata", fates=("lost",))
    desk.give_up("A0").check()
    desk.stands(T0="converted", A0="active", ends={}, live="a", stuck=())


def test_a_withdrawal_undoes_an_activation_whose_given_up_cancel_was_sent_again(desk):
    """The cancel was carried out before, or never."""
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
    """B10: the activation has a separate undoing, which restores the trial's shape."""
    desk.change("C0", "T0", "b").deliver()
    desk.refuses("live", "a")
    desk.withdraw("C0").play_out()
    desk.refuses().activation("A0", "T0")
    desk.give_up("C0").judged()
    assert (desk.state("A0"), desk.live_there("A0")) == ("active", ["a.example.com"])
    desk.withdraw("A0").check()
    desk.stands(T0="trialing", C0="withdrawn", A0="withdrawn", ends={"a": ""}, stuck=())


def test_a_trial_that_never_was_is_not_given_back(desk):
    """B11: the trial's records were refused and given up. So its message says nothing about its domains."""
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
    """B12."""
    desk.change("C0", "T0", "ab").deliver("bigdata", fates=("refuse",))
    desk.change("C1", "T0", "ac")
    desk.give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", ends={"a": "", "c": ""}, stuck=())


def test_accepting_a_given_up_cancel_gives_no_domain_of_the_trial_up(desk, trialing):
    """B13: b stays cancelled, because staff accepted that. a comes back."""
    desk.change("C0", "T0", "b").deliver()
    desk.refuses("cancel", "b")
    desk.withdraw("C0").play_out()
    desk.refuses().give_up("C0").deliver()
    desk.accept("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", ends={"a": "", "b": ""}, stuck=())


def test_accepting_an_unknown_cancel_gives_no_domain_of_the_trial_up(desk, trialing):
    """B13: the same if the result of the cancel is unknown."""
    desk.setting(retries=[])
    desk.change("C0", "T0", "b").deliver()
    desk.withdraw("C0").deliver("bigdata", fates=("broken",), room=1)
    desk.accept("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", ends={"a": "", "b": ""}, stuck=())


def test_an_activation_behind_a_change_that_was_never_sent_is_planned_without_it(desk, trialing):
    """B14: b was never on trial."""
    desk.pause("bigdata")
    desk.change("C0", "T0", "ab")
    desk.activation("A0", "T0").deliver()
    desk.withdraw("C0")
    desk.resume("bigdata").check()
    desk.stands(T0="converted", C0="withdrawn", A0="active", ends={}, live="a", stuck=())


# --- C: what pages say


def test_a_given_up_restore_is_not_called_restored(desk, active):
    """C1: the trial has ended because of it."""
    desk.refuses("live", "a")
    desk.withdraw("A0").play_out()
    desk.refuses().give_up("A0").check()
    assert (desk.state("T0"), desk.state("A0"), desk.ends_there("T0")) == ("ended", "withdrawn", {})
    assert "restored" not in desk.stages("A0")["undo"].note
    assert not desk.stuck()
    desk.look()


def _given_up_deletion(desk):
    """C2, C5: a compensated activation is still billed."""
    desk.trial("T0", "a").deliver()
    desk.activation("A0", "T0").deliver()
    desk.refuses("delete", "a")
    desk.compensate("A0").play_out()
    desk.refuses().give_up("A0").judged()
    desk.stands(A0="failed", live="a", stuck={"T0", "A0"})
    assert "billed_not_active" in desk.troubles("A0")
    assert "billed_not_active" in desk.troubles("T0")


def test_a_given_up_deletion_is_not_called_deleted_and_a_withdrawal_deletes_it(desk):
    """C2."""
    _given_up_deletion(desk)
    assert "deleted" not in desk.stages("A0")["undo"].note
    desk.withdraw("A0").check()
    desk.stands(T0="trialing", A0="withdrawn", ends={"a": ""}, live="", stuck=())


def test_resending_a_given_up_deletion_is_offered_and_helps(desk):
    """C5: an offered act is not refused."""
    _given_up_deletion(desk)
    offered = desk.offered("A0")
    assert "resend" in offered
    assert "take" not in offered or not desk.take("A0").answer()
    desk.resend("A0").check()
    desk.stands(T0="trialing", A0="failed", ends={"a": ""}, live="")
    # Staff compensated the order, so it stays failed until it is resent or withdrawn.
    assert (desk.names_stuck(), desk.troubles("A0")) == ({"A0"}, ["compensated"])


def test_a_trial_of_which_nothing_is_live_is_named_beside_its_change(desk, trialing):
    """C3: the change cancelled a, and b was refused."""
    desk.refuses("live", "b")
    desk.change("C0", "T0", "b").play_out().check()
    desk.stands(C0="failed", ends={}, stuck={"T0", "C0"})
    assert desk.troubles("T0")
    assert {"red", "amber"} & {stage.tone for stage in desk.stages("T0").values()}
    desk.look()


def test_a_trial_that_has_run_out_there_is_named_beside_its_change(desk):
    """C3: the change's end was refused, and the partner's old end has passed."""
    desk.trial("T0", "a", end=1).deliver()
    desk.change("C0", "T0", end=5).deliver("bigdata", fates=("refuse",))
    desk.wait(2 * DAY).check()
    desk.stands(T0="trialing", C0="failed", stuck={"T0", "C0"})
    assert {"red", "amber"} & {stage.tone for stage in desk.stages("T0").values()}
    desk.look()


def test_an_opened_order_keeps_no_incident_that_is_over(desk, active):
    """C4: BPM approved the order while it was compensated."""
    desk.compensate("A0").deliver()
    desk.callback("A0", "pass", "A0-r1")
    desk.resend("A0").check()
    assert (desk.state("T0"), desk.state("A0"), desk.live_there("A0")) == ("converted", "active", ["a.example.com"])
    assert desk.troubles("A0") == []
    assert not desk.stuck()
    desk.look()


def test_an_end_that_a_change_set_is_the_reason_of_a_trials_end(desk, trialing):
    """C6."""
    desk.change("C0", "T0", end=1).deliver()
    desk.wait(2 * DAY).check()
    assert desk.state("T0") == "ended"
    assert desk.stages("T0")["live"].note == "The trial's last day has passed."
    assert not desk.stuck()


def test_an_accepted_late_reject_leaves_nothing_red(desk, active):
    """C7: the order is active and billed."""
    desk.wait(LATE).callback("A0", "reject", "A0-r1").play_out()
    assert "late_undo" in desk.troubles("A0")
    desk.accept("A0").check()
    desk.stands(T0="converted", A0="active", live="a", stuck=())
    assert not {"red", "amber"} & {stage.tone for stage in desk.stages("A0").values()}


def test_a_record_that_a_late_withdrawal_cancelled_is_told(desk, active):
    """C8: the page said that nothing had reached the big-data side."""
    desk.wait(LATE).withdraw_by_staff("A0", "cancel").check()
    assert (desk.state("T0"), desk.state("A0"), desk.live_there("A0")) == ("ended", "withdrawn", [])
    assert "Nothing had reached" not in desk.stages("A0")["undo"].note
    assert not desk.stuck()


# --- D: clocks, restores, strict and slow partners


def test_a_pass_counts_for_the_process_that_was_asked_last(desk, active):
    """D1: BPM refused the first key and accepted the second. Then the clock is set back."""
    desk.activation("A1", "T0", "b").deliver("bpm", fates=("refuse",)).play_out()
    assert desk.state("A1") == "failed"
    desk.resend("A1").deliver()
    desk.wait(-60).callback("A1", "pass", "A1-r1").check()
    assert (desk.state("A1"), desk.live_there("A1")) == ("active", ["b.example.com"])
    assert not desk.stuck()


def test_a_trial_that_staff_entered_is_asked_about_after_a_restore(desk):
    """D2: BBOSS does not know the trial's number. A file beside the attachments contains it."""
    desk.trial("T1", "b").deliver()
    desk.copy()
    desk.enter("T0", "a", end=3).deliver()
    assert desk.ends_there("T0") == {"a": "20230923"}
    desk.restore()
    files = [file for file in settings.ATTACHMENT_DIR.rglob("*") if file.is_file()]
    assert any("T0" in file.read_text() for file in files)
    desk.check()  # staff enter it again, because the page of the restore asks about it
    assert (desk.state("T0"), desk.ends_there("T0")) == ("trialing", {"a": "20230923"})
    # BBOSS's list lacks it, which staff may accept. Nothing else is reported about it.
    assert [reason.code for row in desk.stuck() for reason in row.reasons] == ["not_listed"]


def test_a_record_that_a_strict_partner_does_not_know_stops_nobody(desk):
    """D3: b's creation never arrived. Its change is withdrawn, and an activation waits."""
    desk.partner(strict=True)
    desk.setting(retries=[])
    desk.trial("T0", "a").deliver()
    desk.change("C0", "T0", "ab").deliver("bigdata", fates=("broken",))
    desk.activation("A0", "T0")
    desk.withdraw("C0").check()
    desk.stands(T0="converted", C0="withdrawn", A0="active", ends={}, live="a", stuck=())


def test_an_activation_cancels_what_a_strict_partner_knows(desk):
    """D3: somebody deleted b at the partner, so the whole cancel is refused. The cancel of a is sent again alone."""
    desk.partner(strict=True)
    desk.trial("T0", "ab").deliver()
    desk.meddle("T0", "b", "delete")
    desk.activation("A0", "T0").check()
    desk.stands(T0="converted", A0="active", ends={}, live="ab", stuck=())


def test_an_incident_of_a_change_ends_when_the_order_that_explains_it_is_here(desk, trialing):
    """D4: after a restore the change's creation finds its record cancelled. The activation had cancelled it."""
    desk.copy()
    desk.change("C0", "T0", "ab").deliver()
    desk.activation("A0", "T0").judged().restore().check()
    assert (desk.troubles("C0"), desk.troubles("T0")) == ([], [])
    desk.callback("A0", "pass", "A0-r1").check()
    desk.stands(T0="converted", C0="applied", A0="active", ends={}, live="ab", stuck=())


def test_a_creation_that_lands_after_the_refusal_of_its_repeat_is_taken_back(desk, trialing):
    """D5: BBOSS has withdrawn the order."""
    desk.activation("A0", "T0").deliver("bigdata", fates=("ok", "ok", "late"), room=1).next_moment()
    desk.deliver("bigdata", fates=("refuse",), room=1)
    desk.withdraw("A0").deliver()
    assert desk.state("A0") == "compensating"  # the first call may still act
    desk.check()
    desk.stands(T0="trialing", A0="withdrawn", ends={"a": ""}, live="", stuck=())


def test_a_trials_cancel_that_lands_after_its_restore_is_taken_back(desk, trialing):
    """D6."""
    desk.activation("A0", "T0").deliver("bigdata", fates=("ok", "late"), room=1).next_moment()
    desk.refuses("cancel", "a").deliver()
    desk.withdraw("A0").deliver().check()
    desk.stands(T0="trialing", A0="withdrawn", ends={"a": ""}, live="", stuck=())


LETTERS, ASCII = "münchen.example.com", "xn--mnchen-3ya.example.com"


def test_a_host_in_letters_and_its_ascii_form_are_doubles(desk):
    """D7."""
    assert "ProvContent" in desk.trial("T0", (LETTERS, ASCII)).answer()
    assert desk.accepted == {}


def test_a_host_in_letters_and_its_ascii_form_are_one_domain(desk):
    """D7: nothing changes, and the domain is billed once."""
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
    """E1."""
    desk.trial("T0", "a", end=3).deliver()
    desk.change("C0", "T0", end=10).deliver()
    desk.change("C1", "T0", "ab").deliver()
    assert desk.ends_there("T0") == {"a": "20230930", "b": "20230930"}
    desk.withdraw("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", ends={"a": "20230923", "b": "20230923"}, stuck=())


def test_what_a_later_change_added_has_the_service_without_the_withdrawn_one(desk, trialing):
    """E2."""
    desk.change("C0", "T0", service="4").deliver()
    desk.change("C1", "T0", "ab").deliver()
    assert desk.services_there("T0") == {"a": "4", "b": "4"}
    desk.withdraw("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", services={"a": "1", "b": "1"}, stuck=())


def test_a_change_on_which_a_scheduled_activation_was_built_is_undone_before_its_day(desk, trialing):
    """E3: the activation is named, and planned again without the change."""
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
    """E4."""
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
    """E5: the trial has no end of its own, but it has ended."""
    desk.wait(LATE).withdraw("A0")
    desk.withdraw_by_staff("A0", "cancel").judged()
    assert (desk.state("T0"), desk.state("A0")) == ("ended", "withdrawn")
    desk.change("C9", "T0", end=10).judged()
    assert (desk.state("T0"), desk.ends_there("T0")) == ("trialing", {"a": "20230930"})
    desk.withdraw("C9").check()
    desk.stands(T0="ended", C9="withdrawn", ends={}, stuck=())


def test_a_restore_makes_nothing_of_a_change_that_waits_for_the_claim(desk, active):
    """E6: the held change is planned when the claim is released."""
    desk.change("C5", "T0", "ab")
    assert desk.state("C5") == "held"
    desk.withdraw("A0").check()
    assert desk.posts("T0") == ["live a", "cancel a", "live a", "live b"]
    desk.stands(T0="trialing", C5="applied", A0="withdrawn", ends={"a": "", "b": ""}, stuck=())


def test_a_given_up_cancel_says_nothing_about_its_domains(desk, trialing):
    """E7: so the trial's own message still contains a, and nobody has x without the first change."""
    desk.change("C0", "T0", "ax").deliver()
    desk.refuses("cancel", "ax")
    desk.change("C1", "T0", "c").play_out()
    desk.refuses().give_up("C1").judged()
    assert (desk.state("T0"), desk.state("C1"), sorted(desk.ends_there("T0"))) == ("trialing", "applied", [*"acx"])
    assert not desk.stuck()
    desk.withdraw("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", C1="applied", ends={"a": "", "c": ""}, stuck=())


def test_what_staff_entered_is_the_trials_message(desk):
    """E8: BBOSS sends other content with the same number."""
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
    """E9: the answer is 409, and the record still has the old end."""
    desk.trial("T0", "a", end=3).deliver()
    desk.change("C0", "T0", end=5).deliver("bigdata", fates=("409",)).judged()
    assert (desk.state("C0"), desk.ends_there("T0")) == ("failed", {"a": "20230923"})
    assert "acted_before" in desk.troubles("C0")
    assert desk.names_stuck() == {"T0", "C0"}
    desk.resend("C0").check()
    desk.stands(T0="trialing", C0="applied", ends={"a": "20230925"}, stuck=())


def test_a_creation_that_lands_after_the_cancel_of_its_change_is_cancelled_again(desk, trialing):
    """E10: its repeat was accepted, but the first call was still in progress."""
    desk.change("C0", "T0", "ab").deliver("bigdata", fates=("late",)).next_moment().deliver()
    assert (desk.state("C0"), desk.ends_there("T0")) == ("applied", {"a": "", "b": ""})
    desk.withdraw("C0").deliver()
    assert desk.ends_there("T0") == {"a": ""}
    desk.check()
    assert (desk.state("T0"), desk.state("C0"), desk.ends_there("T0")) == ("trialing", "withdrawn", {"a": ""})
    assert desk.posts("T0")[-1] == "cancel b"
    assert not desk.stuck()


def test_a_refused_put_back_that_is_resent_after_the_trials_end_is_a_cancel(desk):
    """E11."""
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
    """E12: the undoing was planned ten minutes before midnight."""
    desk.trial("T0", "a", end=0).deliver()
    desk.activation("A0", "T0").deliver()
    desk.wait(17700).withdraw("A0")
    desk.wait(1200).check()
    assert (desk.state("T0"), desk.state("A0")) == ("ended", "withdrawn")
    assert (desk.posts("T0"), desk.live_there("A0")) == (["live a", "cancel a"], [])
    assert not desk.stuck()


def test_a_withdrawn_trial_is_cancelled_at_a_strict_partner_beside_what_never_came(desk):
    """E13: b's creation timed out, and the partner never received it."""
    desk.partner(strict=True)
    desk.setting(retries=[])
    desk.trial("T0", "a").deliver()
    desk.change("C0", "T0", "ab").deliver("bigdata", fates=("broken",))
    desk.withdraw("T0").check()
    desk.stands(T0="withdrawn", C0="withdrawn", ends={}, stuck=())


def test_taking_a_start_that_was_moved_by_hand_moves_the_start_day(desk, trialing):
    """E14: the trial is cancelled on the new day."""
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
    """An order has no end. If its records ended, the customer would have service and pay nothing."""
    desk.activation("A0", "T0", start=1).deliver()
    desk.meddle("A0", "a", "end", to=3).reconcile()
    desk.take("A0")
    desk.wait(5 * DAY).sweep().deliver().judged()
    assert (desk.state("A0"), desk.troubles("A0")) == ("active", ["difference"])
    desk.reconcile(fix=True).deliver().check()
    assert not desk.stuck()


def test_a_domain_that_ran_out_and_comes_back_is_made_again(desk):
    """Its record ended on an earlier last day of the trial, and a change omitted the domain in the meantime."""
    desk.trial("T0", "b", end=0).deliver()
    desk.wait(DAY).change("C0", "T0", "d", end=10).deliver()
    desk.change("C1", "T0", "ab", end=4).check()
    desk.stands(T0="trialing", ends={"a": "20230924", "b": "20230924"}, stuck=())


def test_a_late_creation_brings_no_domain_back_that_a_change_dropped(desk):
    """The creation acted after the change's cancel. The look-ups show that."""
    desk.trial("T0", "bc", end=1)
    desk.change("C0", "T0", "b", end=5).deliver("bigdata", fates=("late",), room=1).check()
    desk.stands(T0="trialing", C0="applied", ends={"b": "20230925"}, stuck=())


def test_a_late_creation_does_not_shorten_what_a_change_extended(desk):
    """The creation restored the old end after the extension. No domain was removed."""
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
    """The activation's creation is refused while the look-up after its cancel is in progress."""
    desk.trial("T0", "d").deliver("bigdata", fates=("late",), room=1)
    desk.press("T0", "resend", 1)
    desk.activation("A0", "T0", "abc")
    desk.refuses("live", "ab").deliver().check()
    assert (desk.state("T0"), desk.state("A0"), desk.ends_there("T0")) == ("trialing", "failed", {"d": ""})


def test_a_late_undoings_cancel_that_lands_late_does_not_end_its_records_sooner_than_ours(desk):
    """The repeat of the cancel was refused, so the cancel is sent once more after the time until which the first may
    act."""
    desk.trial("T0", "a")
    desk.activation("A0", "T0", "bc", start=1)
    desk.wait(2 * DAY).deliver("bigdata", "bpm", fates=("ok", "before"), room=1)
    desk.press("A0", "withdraw", 2).deliver("bigdata", fates=("late",)).next_moment()
    desk.deliver("bigdata", fates=("refuse",)).check()
    assert (desk.state("T0"), desk.state("A0"), desk.live_there("A0")) == ("ended", "withdrawn", [])


def test_the_last_look_makes_up_for_one_that_was_refused(desk):
    """No step stays failed if nothing is wrong any more."""
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
    """The order had only queried traffic. It is held now, because its trial has ended."""
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
    """E15: the activation starts later. It was billed before the change in front of it was given up."""
    desk.change("C0", "T0", "ab").deliver("bigdata", fates=("refuse",))
    desk.activation("A0", "T0", start=7).deliver()
    assert sorted(desk.ends_there("A0")) == ["a", "b"]
    desk.give_up("C0").judged()
    desk.stands(T0="trialing", C0="withdrawn", A0="scheduled", ends={"a": ""})
    assert (desk.troubles("A0"), desk.troubles("C0")) == (["change_built_upon"], ["change_built_upon"])
    desk.check()
    desk.stands(T0="converted", A0="active", live="ab", stuck={"A0", "C0"})


def test_a_service_change_that_was_half_done_is_put_back(desk):
    """E16: its cancel was carried out, and its records were refused."""
    desk.trial("T0", "ab").deliver()
    desk.refuses("live", "ab")
    desk.change("C0", "T0", service="4").play_out()
    assert (desk.state("C0"), desk.services_there("T0")) == ("failed", {})
    desk.refuses().give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", services={"a": "1", "b": "1"}, stuck=())


@pytest.mark.parametrize("fate", ["lost", "broken"])
def test_an_extension_that_is_tried_again_is_repeated_and_then_put_back(desk, fate):
    """E17: the result of its first call is unknown."""
    desk.trial("T0", "a", end=3).deliver()
    desk.change("C0", "T0", end=5).deliver("bigdata", fates=(fate,))
    desk.withdraw("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", ends={"a": "20230923"}, stuck=())


def test_an_accepted_end_that_a_change_reset_is_accepted_no_more(desk):
    """E18: somebody changes the end back manually."""
    desk.trial("T0", "a", end=3).deliver()
    desk.meddle("T0", "a", "end", to=5).reconcile()
    desk.accept("T0").judged()
    assert not desk.stuck()
    desk.change("C0", "T0", end=10).deliver()
    assert (desk.state("C0"), desk.ends_there("T0")) == ("applied", {"a": "20230930"})
    desk.meddle("T0", "a", "end", to=5).check()
    assert desk.troubles("T0") == ["difference"]


def test_a_trials_creation_that_lands_after_an_activations_cancel_is_cancelled_again(desk):
    """Found by the model with late calls. A forward cancel also undoes what an unanswered creation may still do."""
    desk.trial("T0", "a").deliver("bigdata", fates=("late",), room=1)
    desk.activation("A0", "T0").next_moment().deliver()
    assert (desk.state("A0"), desk.ends_there("T0")) == ("active", {})
    desk.check()
    desk.stands(T0="converted", A0="active", ends={}, live="a", stuck=())


def test_an_activation_held_for_files_behind_a_withdrawn_change_sends_nothing_and_is_not_built_upon(desk):
    """Found by the interleavings: its replaced check never ended. The activation was named, although it had sent
    nothing."""
    desk.trial("T0", "a", end=1).deliver()
    desk.wait(2 * DAY).sweep()
    desk.change("C0", "T0", "ab", end=9).deliver("bigdata", fates=("refuse",))
    desk.activation("A0", "T0", files=True).deliver()
    assert desk.troubles("A0") == ["missing"]
    desk.withdraw("C0").check()
    assert (desk.state("T0"), desk.state("C0"), desk.state("A0")) == ("ended", "withdrawn", "held")
    assert (desk.troubles("A0"), desk.troubles("C0")) == (["trial_closed"], [])


def test_a_shape_that_is_folded_anew_goes_by_number_where_the_clock_was_set_back(desk):
    """A withdrawal computes the shape again. The older change must not override the newer one, although the clock
    shows a later time for it."""
    desk.trial("T0", "abc").deliver()
    desk.change("C0", "T0", "ab")
    desk.wait(-4).change("C1", "T0", "a")
    desk.change("C2", "T0", end=5).deliver()
    desk.withdraw("C2").check()
    desk.stands(T0="trialing", C2="withdrawn", ends={"a": ""}, stuck=())


def test_a_change_is_named_that_is_taken_back_behind_an_activations_failed_deletion(desk):
    """Found by the interleavings. The restore waits in the trial's lane, but the failed step in front of it is not in
    that lane."""
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
    """The change after the one that revived the trial names no end. So without the reviving change the trial has
    ended."""
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
    """The old records are live beside the new ones, and incidents name the trial and the change."""
    desk.refuses("cancel", "a")
    desk.change("C0", "T0", service="4").play_out()
    desk.refuses().give_up("C0").judged()
    assert (desk.state("T0"), desk.state("C0"), desk.services_there("T0")) == ("trialing", "applied", {"a": "1 4"})
    assert desk.posts("T0") == ["live a", "live a"]
    assert desk.names_stuck() == {"T0", "C0"}


def test_a_service_that_only_some_records_have_is_put_back(desk):
    """Somebody cancelled one of the new records before the look-ups. So the change did not give every domain the new
    service."""
    desk.setting(retries=[])
    desk.trial("T0", "ab").deliver()
    desk.change("C0", "T0", service="4").deliver("bigdata", fates=("ok", "lost"))
    assert (desk.state("C0"), desk.services_there("T0")) == ("failed", {"a": "4", "b": "4"})
    desk.meddle("T0", "a", "cancel")
    desk.give_up("C0").check()
    desk.stands(T0="trialing", C0="withdrawn", services={"a": "1", "b": "1"}, stuck=())


def test_an_activation_cancels_what_a_given_up_cancel_left(desk, trialing):
    """It cancels all records of its trial, whatever their service (contract 3.9, 13), and the incidents end."""
    desk.refuses("cancel", "a")
    desk.change("C0", "T0", service="4").play_out()
    desk.refuses().give_up("C0").deliver()
    assert desk.services_there("T0") == {"a": "1 4"}
    desk.activation("A0", "T0", "a").check()
    desk.stands(T0="converted", A0="active", services={}, stuck=())


def test_accepting_moves_a_withdrawn_activation_once(desk):
    """A comparison ends its given-up cancel in between, which moves the order. The history had this move twice."""
    desk.trial("T0", "ab", end=2).deliver()
    desk.setting(retries=[])
    desk.activation("A0", "T0", "abc")
    desk.deliver("bigdata", "bpm", fates=("garbage", "refuse", "ok", "lost"), room=1).next_moment()
    desk.change("C2", "T0", "d", service="1", end=0, flow="2")
    desk.press("C2", "withdraw", 2).deliver("bigdata", fates=("garbage",)).mend("withdraw first")
    assert desk.state("A0") == "withdrawn"


def test_a_failed_repeat_of_a_creation_keeps_its_incident(desk):
    """A change's cancel explains a creation that found its records cancelled. It does not explain a creation whose
    look-up was refused."""
    desk.trial("T0", "d").deliver()
    desk.setting(retries=[])
    desk.resend("T0", force=True, channel="billing")
    desk.change("C0", "T0", "d", flow="2").deliver("bigdata", "bpm", fates=("before", "refuse"), room=1)
    desk.check()
    assert "T0" in desk.names_stuck()


def test_a_look_sends_nothing_for_records_that_were_given_up(desk):
    """The change's extension is looked up, because the trial's creation may still act. The change's own creation,
    refused and given up, is decided after that look-up. The look-up created records that nobody wanted any more."""
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
    """If the order were accepted as still billed, it would end the trial that it has claimed."""
    _given_up_deletion(desk)
    desk.meddle("A0", "a", "delete").press("A0", "accept")
    assert desk.answer()
    desk.deliver().check()
    assert "billed_not_active" not in [*desk.troubles("A0"), *desk.troubles("T0")]
    assert (desk.state("T0"), desk.state("A0")) == ("trialing", "failed")
