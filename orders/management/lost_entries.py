"""Output lines about manually entered trials that are missing in a restored database."""

from orders.restore.manual_trial_numbers import numbers_file
from orders.restore.restore_preview import lost_entries

LISTED = 50


def lines_of_lost_entries() -> list[str]:
    """Returns the missing trials, one number a line, and what to do; empty if none is missing."""
    lost = lost_entries()
    if lost.error:
        return [f"nobody knows which trials entered by hand are missing: {lost.error}"]
    if not lost.rows:
        return []
    what = "1 trial that was entered" if len(lost.rows) == 1 else f"{len(lost.rows)} trials that were entered"
    rest = len(lost.rows) - LISTED
    return [
        f"not in this database: {what} by hand. BBOSS does not send them; their records may live at the big-data side.",
        "add their numbers to the list for `reconcile --numbers FILE`, and enter them again under the same numbers:",
        *(f"  {one}" for one in lost.rows[:LISTED]),
        *([f"  and {rest} more: {numbers_file()}"] if rest > 0 else []),
    ]
