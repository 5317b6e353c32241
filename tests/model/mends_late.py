"""The fixes of contract 3.9, rule 6, for `bite`. They are about calls without an answer, which may still act.

If such a call is followed by another step, the desk looks up the partner's records after that step.
"""

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
"""By fix: a test of `test_found_late.py` that fails without the fix. `test_` is omitted."""


def late_calls() -> dict[str, Mend]:
    """Returns the fixes by name. Requires that Django is set up.

    Each name is a clause of rule 6. The comment above the name describes the wrong behaviour without the fix.
    """
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
        """Returns a patch with which an undoing looks up no records of these steps."""
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
        # An unanswered deletion is forgotten once another deletion was accepted.
        "6 an opening behind a deletion": Mend(deletions),
        # Only the deletion of a stray record is forgotten.
        "6 an opening behind a stray record's deletion": Mend(
            put("as_late_calls", but(Step.FIX_DELETE), outcome_effects)
        ),
        # A fix counts as creating no record.
        "6 an undoing behind a fix": Mend(makes_nothing(*FIXES)),
        # Look-ups follow only after deletions.
        "6 an undoing by cancel": Mend(
            put("schedule_verification", looks_where(lambda row: row.step != Step.CANCEL_BILLING), outcome_effects)
        ),
        # Only the refused call of the given-up step itself is considered.
        "6 giving up asks about all calls": Mend(put("_may_act_until", lambda row, now: None, giving_up)),
        # Records that staff took are not looked up again.
        "6 behind staff's word": Mend(put("look_behind", lambda order, now: None, take)),
        # The trial's cancel is planned only if records exist.
        "6 a late undoing behind a creation under way": Mend(put("_trials_end", of_what_is_there, undo_steps)),
        # The look-ups correct nothing.
        "6 what is not as meant is sent again": Mend(
            put("_put_own_right", lambda row, records, now: None, verify_unanswered_calls)
        ),
    }
    return {
        name: dataclasses.replace(mend, noticed_by=f"test_found_late.py::test_{NOTICED_BY[name]}")
        for name, mend in found.items()
    }
