"""The fixes that `bite` removes, each with the patch that removes it.

The name of a fix begins with the number of the rule of contract 3.9 that it enforces, if there is such a rule. The
fixes of rule 19 are in `mends_shape.py`. Other modules import functions by name, so a patch replaces the function in
each of these modules.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from unittest import mock

NOTICED_BY = {
    "1 opened with its old domains": "test_found.py::test_opened_order_cancels_what_a_later_change_added",
    "1 a filter opens": "test_found.py::test_filter_does_not_open_what_was_compensated",
    "2 only the newest dispatch counts": "test_found.py::test_lost_then_refused_twice_is_undone_all_the_same",
    "4 a repeat may come after a later step": (
        "test_forcing.py::test_a_creation_is_not_repeated_once_a_change_gave_its_records_another_end"
    ),
    "4 a repeat replaces": "test_found.py::test_forced_repeat_starts_no_second_process",
    "4 a repeat overtakes": "test_found.py::test_forced_repeat_does_not_overtake_what_is_due",
    "5 every record counts": (
        "test_opening.py::test_a_decision_from_before_any_key_was_sent_counts_for_the_first_process"
    ),
    "5 a process is started twice": "test_found_shape.py::test_an_opened_order_keeps_no_incident_that_is_over",
    "6 looks after what takes back alone": (
        "test_found_shape.py::test_a_late_creation_does_not_shorten_what_a_change_extended"
    ),
    "7 409 is as if nothing had been": "test_found.py::test_acted_before_is_never_did_nothing",
    "7 the times of a 409 are not taken": "test_found.py::test_acted_before_is_never_did_nothing",
    "7 --fix does all": "test_fixes.py::test_a_commercial_record_is_not_made_live_for_any_other",
    "8 a refused step of a withdrawn order stays": (
        "test_giving_up.py::test_a_withdrawn_trial_that_was_refused_blocks_nobody"
    ),
    "9 late is as soon": "test_found.py::test_late_reject_deletes_nothing",
    "9 the trial runs on": "test_found.py::test_late_withdrawal_cancels_as_staff_choose",
    "14 what was not shown is taken": "test_accepting.py::test_a_loss_behind_another_difference_is_shown_first",
    "14 what is gone is accepted": "test_accepting.py::test_what_is_gone_by_the_click_is_not_accepted_as_billed_still",
    "14 a create is accepted that is not there": (
        "test_accepting.py::test_an_activation_whose_records_are_not_there_is_not_accepted_as_made"
    ),
    "14 a loss needs no name": (
        "test_accepting.py::test_a_loss_is_accepted_by_its_name_is_never_called_billed_and_can_be_left"
    ),
    "14 what was accepted is called billed": (
        "test_accepting.py::test_a_loss_is_accepted_by_its_name_is_never_called_billed_and_can_be_left"
    ),
    "14 what was accepted stays for ever": (
        "test_accepting.py::test_what_is_live_of_a_withdrawn_order_is_accepted_by_its_name_and_can_be_left"
    ),
    "14 nobody is told what joined": ("test_accepting.py::test_the_second_person_sees_what_joined_since_it_was_asked"),
    "18 what is gone is taken as what is not late": (
        "test_moving.py::test_records_of_which_one_is_gone_for_over_a_day_are_taken_and_put_right"
    ),
    "14 an incident ends with what it was about": "test_incidents_end.py::test_bpms_pass_comes_while_it_is_undone",
    "14 a refused move's incident ends with its day": "test_incidents_end.py::test_a_refused_moves_old_day_comes",
    "what may not have acted is repeated": (
        "test_found.py::test_cancel_that_was_not_carried_out_is_not_repeated_for_a_withdrawn_change"
    ),
    "lost is compensated": "test_found.py::test_acted_before_with_nothing_there_stops",
    "a reject forbids nothing": "test_opening.py::test_a_reject_recorded_meanwhile_forbids_it_until_staff_decide",
    "decide opens nothing": "test_opening.py::test_a_wrong_reject_is_mended",
    "a resolved mail needs somebody": "test_found.py::test_staff_resolve_the_incident_of_a_mail_of_an_order_that_ended",
    "given up is open": (
        "test_found_shape.py::test_a_given_up_deletion_is_not_called_deleted_and_a_withdrawal_deletes_it"
    ),
}
"""By fix: a test of tests/model or tests/flows that fails without the fix."""

Patch = Callable[[contextlib.ExitStack], None]


@dataclass(frozen=True)
class Mend:
    """A fix of a known defect. `remove` applies a patch that removes the fix until the stack is closed.

    `noticed_by` is a test that fails without the fix.
    """

    remove: Patch
    noticed_by: str = ""


def put(name: str, value: object, *places: object) -> Patch:
    """Returns a patch that replaces this name in each of the modules or classes `places`."""
    return lambda stack: [stack.enter_context(mock.patch.object(place, name, value)) for place in places]


def both(*patches: Patch) -> Patch:
    """Returns a patch that applies all of these patches."""
    return lambda stack: [patch(stack) for patch in patches]


def looks_where(fits: Callable) -> Callable:
    """Returns a replacement of `schedule_verification`, which plans look-ups.

    It plans look-ups only for the steps for which `fits` is true.
    """
    from orders.replanning.verify_unanswered_calls import schedule_verification

    return lambda rows, calls, *, now: schedule_verification(filter(fits, rows), calls, now=now)


def known_defects() -> dict[str, Mend]:
    """Returns the fixes of defects found before rule 19 of contract 3.9, by name. Requires that Django is set up."""
    from django.db.models import Q

    from integrations.bigdata import reconciliation
    from orders.actions import accept, take
    from orders.books import fixes
    from orders.bpm import received_decisions
    from orders.incidents import incident_codes, incident_handling, incidents, order_warnings
    from orders.models import Dispatch, OrderDomain
    from orders.outbox import billing_effects
    from orders.reconciliation import asking, results
    from orders.replanning import reopening, staff_decision, withdrawal
    from orders.sending import outcome_effects, record_updates, resend
    from orders.sending import record as outcomes
    from orders.start_day import move_start_outcomes
    from orders.undoing import after_failed_step, finish, late, start, undo_steps

    acts_of, release_claim = billing_effects.acts_of, finish.release_claim

    def newest_only(order):
        return [row for row in acts_of(order) if not row.superseded]

    def old_domains(order):
        return list(OrderDomain.objects.filter(order=order).values_list("name", flat=True))

    def close_waiting(order, but=""):
        return order.dispatches.filter(state="waiting", undo=False).update(state="closed")

    def but_what_was_accepted(orders, records, *, now, accepted=False):
        return not_meant(orders, records, now=now)

    def without_accepted(order, codes):
        return replace(marks_of(order, codes), accepted="")

    not_meant, marks_of = results.not_meant, order_warnings._marks_of

    def free_and_running(claim, order, *, ends="", now, by):
        release_claim(claim, order, now=now, by=by)

    all_that_last = incident_codes.BOOKS_ONLY | incident_codes.PARTNERS_OWN

    found = {
        "1 opened with its old domains": Mend(put("given_domains", old_domains, reopening)),
        "a resolved mail needs somebody": Mend(put("is_of_mails", lambda incident: False, incident_handling)),
        "1 a filter opens": Mend(put("by_number", mock.PropertyMock(return_value=True), resend.Selection)),
        "2 only the newest dispatch counts": Mend(put("acts_of", newest_only, undo_steps)),
        "4 a repeat may come after a later step": Mend(put("touched_since", lambda row: set(), resend)),
        "4 a repeat replaces": Mend(put("_repeat", resend.replace, resend)),
        "4 a repeat overtakes": Mend(put("_is_followed", lambda row: False, resend)),
        "5 every record counts": Mend(
            put(
                "counting_records",
                lambda order: list(order.approvals.filter(finished=True, source="bpm")),
                received_decisions,
            )
        ),
        "5 a process is started twice": Mend(put("bpm_acts", lambda order: Dispatch.objects.none(), reopening)),
        "6 looks after what takes back alone": Mend(
            put("schedule_verification", looks_where(lambda row: row.undo), outcome_effects)
        ),
        "7 409 is as if nothing had been": Mend(
            put("already_applied_correctly", lambda rows, outcomes: set(), outcomes)
        ),
        "7 the times of a 409 are not taken": Mend(
            put("take_times", lambda row, records, outcome: None, record_updates)
        ),
        "7 --fix does all": Mend(put("_why_left", lambda self, one, record: None, fixes.FixPlan)),
        "8 a refused step of a withdrawn order stays": Mend(put("close_refused", lambda order: 0, withdrawal)),
        "9 late is as soon": Mend(put("is_late", lambda order, now: False, late, withdrawal, received_decisions)),
        "9 the trial runs on": Mend(put("release_claim", free_and_running, finish)),
        "14 what was not shown is taken": Mend(put("check_as_shown", lambda order, answer: None, accept, take)),
        "14 what is gone is accepted": Mend(put("_counted_as_there", lambda order: set(), asking)),
        "14 a create is accepted that is not there": Mend(put("_check_made", lambda row, held: None, accept)),
        "14 a loss needs no name": Mend(put("check_named", lambda order, codes: None, accept)),
        "14 what was accepted is called billed": Mend(put("_marks_of", without_accepted, order_warnings)),
        "14 what was accepted stays for ever": Mend(put("not_meant", but_what_was_accepted, results, reconciliation)),
        "14 nobody is told what joined": Mend(put("shown_of", lambda order: frozenset(), results)),
        "18 what is gone is taken as what is not late": Mend(
            put("is_late", lambda order, now: False, move_start_outcomes)
        ),
        "14 an incident ends with what it was about": Mend(put("ENDED_STEPS", [], incidents)),
        "14 a refused move's incident ends with its day": Mend(
            put("NEVER_END_BY_THEMSELVES", all_that_last, incidents)
        ),
        "what may not have acted is repeated": Mend(put("close_never_begun", close_waiting, start)),
        "lost is compensated": Mend(put("NOT_COMPENSATED", set(), after_failed_step)),
        "a reject forbids nothing": Mend(put("decision_in_force", lambda order: "", reopening, resend)),
        "decide opens nothing": Mend(put("open_again", lambda order, now, by: None, staff_decision)),
        "given up is open": Mend(put("given_up_undoing", lambda order: order.dispatches.filter(Q(pk=None)), finish)),
    }
    return {name: replace(mend, noticed_by=NOTICED_BY[name]) for name, mend in found.items()}
