"""What `bite` takes back of rule 6 (contract 3.9): the looks behind what follows a call that may still act."""

import dataclasses

from tests.model.mends import Mend, both, put

NOTICED_BY = {
    "6 an opening behind a deletion": "a_late_deletion_takes_no_record_of_an_order_that_is_opened_again",
    "6 an opening behind a stray record's deletion": (
        "the_late_deletion_of_a_stray_record_takes_none_of_an_order_that_is_opened_again"
    ),
    "6 an undoing behind a fix": "nor_whose_order_was_compensated",
    "6 an undoing by cancel": "a_late_repeat_bills_nobody_whose_order_was_cancelled",
    "6 what is not as meant is sent again": "a_late_deletion_takes_no_record_of_an_order_that_is_opened_again",
}
"""A test of `test_found_late.py` that fails without the sentence; without `test_` in front."""


def late_calls() -> dict[str, Mend]:
    """By name, which says the clause; the comment says what the patch does instead. Django must be set up."""
    from orders.services import looks
    from orders.services.compensation import plan
    from orders.services.outbox import effects, follow_up
    from orders.steps import FIXES, Step

    called, acts_of, looked_after = effects.late_calls, plan.acts_of, looks._is_looked_after

    def but(*steps):
        return lambda found: [call for call in effects.as_late_calls(found) if call.step not in steps]

    def makes_nothing(*steps):
        """An undoing does not look behind these steps."""
        return both(
            put("late_calls", lambda **about: [row for row in called(**about) if row.step not in steps], plan),
            put("acts_of", lambda order: [row for row in acts_of(order) if row.step not in steps], plan),
        )

    deletions = put("as_late_calls", but(*effects.DELETIONS), follow_up)
    found = {
        # A deletion that has no answer is forgotten once another one was accepted.
        "6 an opening behind a deletion": Mend(deletions),
        # That of a stray record alone is.
        "6 an opening behind a stray record's deletion": Mend(put("as_late_calls", but(Step.FIX_DELETE), follow_up)),
        # A fix makes no record.
        "6 an undoing behind a fix": Mend(makes_nothing(*FIXES)),
        # Only what deletes is looked after.
        "6 an undoing by cancel": Mend(
            put("_is_looked_after", lambda row: looked_after(row) and row.step != Step.CANCEL_BILLING, looks)
        ),
        # The looks only look.
        "6 what is not as meant is sent again": Mend(put("_put_own_right", lambda row, records, now: None, looks)),
    }
    return {
        name: dataclasses.replace(mend, noticed_by=f"test_found_late.py::test_{NOTICED_BY[name]}")
        for name, mend in found.items()
    }
