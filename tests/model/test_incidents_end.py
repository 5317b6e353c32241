"""An incident ends when its cause is over, however the cause ended (contract 3.9, 14)."""

import pytest

from orders.incidents import incidents
from tests.model.acts import WrongError

OPENED = {"T0": "converted", "A0": "active", "live": "a", "stuck": ()}


@pytest.fixture
def compensated(desk):
    """Returns a desk whose activation A0 is compensated, because BPM was down until all retries were used up."""
    desk.setting(retries=[30]).trial("T0", "a").deliver()
    desk.activation("A0", "T0").deliver("bigdata").deliver("bpm", fates=("silent",))
    desk.next_moment().deliver("bpm", fates=("silent",)).deliver().play_out()
    assert (desk.state("A0"), desk.troubles("A0")) == ("failed", ["refused"])
    return desk


def opened(desk, act: str, **more) -> None:
    """Carries out the act `act` on A0.

    Asserts that A0 is active and that no incident is open, even before the next check.
    """
    getattr(desk, act)("A0", **more).deliver()
    assert desk.troubles("A0") == []
    desk.check().stands(**OPENED)
    desk.look()


def test_bpms_pass_comes_while_it_is_undone(compensated):
    compensated.callback("A0", "pass", "A0-r1")
    opened(compensated, "resend")


def test_staff_enter_the_pass_while_it_is_undone(compensated):
    compensated.decide("A0", "pass")
    opened(compensated, "resend")


def test_a_failed_fix_is_closed_by_opening(desk):
    desk.trial("T0", "a").deliver()
    desk.activation("A0", "T0").deliver()
    desk.compensate("A0").deliver().meddle("A0", "a", "live")
    desk.reconcile("A0", fix=True, reason="x").deliver("bigdata", fates=("refuse",)).deliver()
    assert "code_400" in desk.troubles("A0")
    desk.resend("A0").deliver()
    assert "code_400" not in desk.troubles("A0")
    desk.check()
    assert "code_400" not in desk.troubles("A0")


def test_a_failed_repeat_of_what_was_undone_is_closed_by_opening(desk):
    desk.trial("T0", "a").deliver()
    desk.activation("A0", "T0").deliver()
    desk.resend("A0", force=True, channel="billing").deliver(fates=("refuse", "refuse"))
    desk.compensate("A0").deliver().play_out()
    opened(desk, "resend")


def test_a_decision_that_came_too_early_is_in_force_once_the_order_is_opened(desk):
    desk.setting(retries=[30]).trial("T0", "a").deliver()
    desk.activation("A0", "T0").callback("A0", "pass", "A0-r1")
    assert desk.troubles("A0") == ["early"]
    desk.deliver("bigdata").deliver("bpm", fates=("broken",))
    desk.next_moment().deliver("bpm", fates=("broken",)).deliver().play_out()
    desk.compensate("A0").deliver().play_out()
    opened(desk, "resend")


def test_what_bpm_says_after_staff_decided_is_not_early(desk):
    """BPM decides after staff have decided, before anything was sent. This decision does not count as early.

    It is an additional record for staff to look at, because the order is decided.
    """
    desk.activation("A0", "T0").decide("A0", "pass").callback("A0", "pass", "A0-r1")
    assert "again" in desk.troubles("A0")
    desk.trial("T0", "a").check()


def test_a_refused_moves_old_day_comes(desk):
    desk.trial("T0", "a").deliver()
    desk.activation("A0", "T0", start=3).deliver()
    desk.move_start("A0", 5).deliver("bigdata", fates=("refuse",)).deliver()
    assert (desk.state("A0"), desk.troubles("A0")) == ("scheduled", ["move_failed"])
    desk.check().stands(**OPENED)


def test_a_refused_moves_old_day_comes_for_an_order_without_a_cancel(desk):
    """A refused move's incident ends on the old start day, also for a subsequent activation.

    Such an activation has no step left for that day.
    """
    desk.setting(billing="at_once").trial("T0", "a").deliver()
    desk.activation("A0", "T0").deliver()
    desk.activation("A1", "T0", "b", start=3).deliver().callback("A1", "pass", "A1-r1").deliver()
    desk.move_start("A1", 5).deliver("bigdata", fates=("refuse",)).deliver()
    assert (desk.state("A1"), desk.troubles("A1")) == ("scheduled", ["move_failed"])
    desk.check()
    assert (desk.state("A1"), desk.troubles("A1")) == ("active", [])


def test_a_call_that_was_in_the_air_while_its_order_was_undone(desk):
    """An order is undone while one of its calls is under way. The call's answer closes its step.

    This also ends the incident of the step's previous call.
    """
    desk.trial("T0", "a").deliver()
    desk.activation("A0", "T0").deliver(fates=("refuse",)).deliver()
    assert desk.troubles("A0") == ["code_400"]
    desk.resend("A0").claim().compensate("A0")
    assert "code_400" in desk.troubles("A0")
    desk.call("refuse").land()
    assert desk.troubles("A0") == ["compensated"]
    desk.check()


def test_a_worker_died_in_a_call_whose_order_was_undone(desk):
    desk.trial("T0", "a").deliver()
    desk.activation("A0", "T0").deliver(fates=("refuse",)).deliver()
    desk.resend("A0").claim().compensate("A0").die()
    desk.deliver().wait(120).sweep()
    assert desk.troubles("A0") == ["compensated"]
    desk.check()


def test_what_only_the_books_end_stays(desk):
    """An incident that only a comparison or `accept` ends stays open after its order is compensated and reopened."""
    desk.trial("T0", "a").deliver()
    desk.activation("A0", "T0").deliver("bigdata").deliver("bpm", fates=("before",)).deliver()
    assert desk.troubles("A0") == ["acted_before"]
    desk.compensate("A0").deliver().resend("A0").deliver()
    assert "acted_before" in desk.troubles("A0")


def test_the_truth_names_an_incident_that_is_over(compensated, monkeypatch):
    monkeypatch.setattr(incidents, "ENDED_STEPS", [])
    compensated.callback("A0", "pass", "A0-r1").resend("A0")
    with pytest.raises(WrongError, match="A0 is active, start_bpm is over, and bpm's refused is open"):
        compensated.check()


def test_a_withdrawal_ends_the_incident_of_the_step_that_it_closes_while_the_undoing_stands(desk):
    """A withdrawal closes a refused step, which ends this step's incident.

    The refused restore keeps its own incident.
    """
    desk.trial("T0", "d").deliver().refuses("live", "d").activation("A0", "T0", "").deliver()
    assert desk.troubles("A0") == ["code_400", "code_400"]
    desk.withdraw("A0").check()
    assert desk.troubles("A0") == ["code_400"]
