"""Acts that a second person must confirm (contract 3.11; 4, FOUR_EYES). Pure, since the settings import it."""

from collections.abc import Mapping

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

BULK, EXPORT = "bulk", "export_personal"
ACTS: dict[str, str | Promise] = {
    "decide": _("Decide in BPM's place"),
    "waive": _("Waive the finding"),
    "compensate": _("Compensate"),
    "withdraw": _("Withdraw"),
    "give_up": _("Give the step up"),
    "fix": _("Put the difference right"),
    "take": _("Take the partner's books"),
    "accept": _("Live with it"),
    "proceed": _("Let it go on"),
    "move_start": _("Move the start day"),
    "move_end": _("Move the trial's end"),
    "attribute": _("Choose or correct the attribution"),
    "erase": _("Erase personal data"),
    BULK: _("An act on many rows"),
    EXPORT: _("An export of people's data"),
}
"""By the word in FOUR_EYES."""


def read_acts(given: str) -> dict[str, int]:
    """Parse a comma-separated list of acts into {act: number}. Raises ValueError with a message.

    The number of `bulk:N` is the number of rows per day that need no second person. The number of all other acts is 0.
    """
    found: dict[str, int] = {}
    for entry in filter(None, (part.strip() for part in given.split(","))):
        act, colon, number = entry.partition(":")
        if act not in ACTS:
            raise ValueError(f"{entry!r} is no act; there are {', '.join(ACTS)} ({BULK} as {BULK}:N)")
        if act in found:
            raise ValueError(f"{act} is named twice")
        if bool(colon) != (act == BULK):
            raise ValueError(
                f"{BULK} needs a number of rows, as in {BULK}:100" if act == BULK else f"{act} has no number"
            )
        if colon and not (number.isascii() and number.isdigit() and len(number) < 9):
            raise ValueError(f"{entry!r}: the number of rows must be a whole one")
        found[act] = int(number or 0)
    return found


def is_asked(act: str) -> bool:
    """Returns True if a second person must confirm the act. EXPORT_SECOND_PERSON means FOUR_EYES=export_personal."""
    return act in acts_asked()


def rows_alone() -> int | None:
    """Returns the number of rows per day on which a person may act in bulk alone, or None if there is no limit."""
    return acts_asked().get(BULK)


def acts_asked() -> Mapping[str, int]:
    own: Mapping[str, int] = settings.FOUR_EYES
    return {**own, EXPORT: 0} if settings.EXPORT_SECOND_PERSON else own
