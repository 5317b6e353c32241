"""What `bite` takes back of rule 6 (contract 3.9): the looks behind what follows a call that may still act."""

import dataclasses

from tests.model.mends import Mend, both, looks_where, put

NOTICED_BY = {
    "6 an opening behind a deletion": "a_late_deletion_takes_no_record_of_an_order_that_is_opened_again",
    "6 an opening behind a stray record's deletion": (
        "the_late_deletion_of_a_stray_record_takes_none_of_an_order_that_is_opened_again"
    ),
    "6 an undoing behind a fix": "nor_whose_order_was_compensated",
    "6 an undoing by cancel": "a_late_repeat_bills_nobody_whose_order_was_cancelled",
    "6 giving up asks about all calls": "a_given_up_deletion_waits_for_the_late_creation",
    "6 behind staff's word": "a_late_fix_behind_what_staff_accepted_is_taken",
    "6 a late undoing behind a creation under way": "a_late_undoing_ends_a_trial_whose_creation_is_still_under_way",
    "6 what is not as meant is sent again": "a_late_deletion_takes_no_record_of_an_order_that_is_opened_again",
}
"""A test of `test_found_late.py` that fails without the sentence; without `test_` in front."""


def late_calls() -> dict[str, Mend]:
    """By name, which says the clause; the comment says what the patch does instead. Django must be set up."""
    from orders.actions import take
    from orders.outbox import billing_effects
    from orders.replanning import giving_up, verify_unanswered_calls
    from orders.rules.steps import FIXES, Step
    from orders.sending import outcome_effects
    from orders.undoing import undo_steps

    called, acts_of = billing_effects.late_calls, undo_steps.acts_of

    def but(*steps):
        return lambda found: [call for call in billing_effects.as_late_calls(found) if call.step not in steps]

    def makes_nothing(*steps):
        """An undoing does not look behind these steps."""
        return both(
            put("late_calls", lambda **about: [row for row in called(**about) if row.step not in steps], undo_steps),
            put("acts_of", lambda order: [row for row in acts_of(order) if row.step not in steps], undo_steps),
        )

    trials_end = undo_steps._trials_end

    def of_what_is_there(order, now):
        there = order.trial.billing_records.filter(state__in=["live", "unknown"])
        return trials_end(order, now) if there.exists() else []

    deletions = put("as_late_calls", but(*billing_effects.DELETIONS), outcome_effects)
    found = {
        # A deletion that has no answer is forgotten once another one was accepted.
        "6 an opening behind a deletion": Mend(deletions),
        # That of a stray record alone is.
        "6 an opening behind a stray record's deletion": Mend(
            put("as_late_calls", but(Step.FIX_DELETE), outcome_effects)
        ),
        # A fix makes no record.
        "6 an undoing behind a fix": Mend(makes_nothing(*FIXES)),
        # Only what deletes is looked after.
        "6 an undoing by cancel": Mend(
            put("schedule_verification", looks_where(lambda row: row.step != Step.CANCEL_BILLING), outcome_effects)
        ),
        # Only the call of the step itself is asked about, which was refused.
        "6 giving up asks about all calls": Mend(put("_may_act_until", lambda row, now: None, giving_up)),
        # What staff took is not looked at again.
        "6 behind staff's word": Mend(put("look_behind", lambda order, now: None, take)),
        # The trial's cancel is planned for what is there alone.
        "6 a late undoing behind a creation under way": Mend(put("_trials_end", of_what_is_there, undo_steps)),
        # The looks only look.
        "6 what is not as meant is sent again": Mend(
            put("_put_own_right", lambda row, records, now: None, verify_unanswered_calls)
        ),
    }
    return {
        name: dataclasses.replace(mend, noticed_by=f"test_found_late.py::test_{NOTICED_BY[name]}")
        for name, mend in found.items()
    }
