"""States as chips. Each of the six tones has one meaning everywhere.

Grey: not begun, or closed. Blue: under way. Violet: waits for somebody. Amber: held, or being retried. Red: failed.
Green: done.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from orders.lists.cells import column
from orders.texts.state_meanings import ACCEPTED, meaning_of

Tones = Iterable[TextChoices]
ChipParts = tuple[str, str | Promise, str | Promise]
"""The tone of a chip, its words, and what they mean."""
TONES: dict[TextChoices, str] = {}
"""By state. A state that two models share has the same meaning in both."""


def add_tones(tones: Mapping[str, Tones]) -> None:
    """Gives states their tones, by the tone. A list does so as it is registered."""
    TONES.update({state: tone for tone, states in tones.items() for state in states})


def toned_chip(tone: str, words, meaning: str | Promise = "", *, url: str = "") -> str:
    """With an address it is a link, and tells no meaning."""
    if url:
        return format_html('<a class="chip chip-{}" href="{}">{}</a>', tone, url, words)
    if meaning:
        return format_html('<span class="chip chip-{}" title="{}">{}</span>', tone, meaning, words)
    return format_html('<span class="chip chip-{}">{}</span>', tone, words)


def parts_of(state: TextChoices) -> ChipParts:
    return TONES[state], state.label, meaning_of(state)


def chip(state: TextChoices) -> str:
    return toned_chip(*parts_of(state))


def is_doubtful(row) -> bool:
    """Returns True if `mark_orders` or `mark_records` found a doubt, or it waits behind a failed order."""
    marks = getattr(row, "marks", None)
    if marks and marks.behind and TONES[row.State(row.state)] in {"green", "grey"}:
        return True
    return bool(getattr(row, "doubt", False) or getattr(marks, "doubt", ""))


@functools.singledispatch
def undoubted_parts(row) -> ChipParts:
    """Returns the parts of the chip of a row with a `state`, without doubt. A model of which some rows say something
    else registers its own."""
    return parts_of(row.State(row.state))


def chip_parts(row) -> ChipParts:
    """Returns the parts of the chip of a row with a `state`. A doubtful row is not shown as fine."""
    if is_doubtful(row):
        state, doubt = row.State(row.state), _("Needs a look")
        meaning = _("It may be otherwise than this state says; its page says what needs a look.")
        return "red" if TONES[state] == "red" else "amber", f"{state.label} · {doubt}", meaning
    if accepted := getattr(getattr(row, "marks", None), "accepted", ""):
        state, (words, meaning) = row.State(row.state), ACCEPTED[accepted]  # it is fine, but not as its state says else
        return TONES[state], f"{state.label} · {words}", meaning
    return undoubted_parts(row)


def chip_of(row) -> str:
    return toned_chip(*chip_parts(row))


def chip_column(label, say: Callable[[Any], ChipParts], **display) -> Callable:
    return column(label, lambda row: say(row)[1], lambda row: toned_chip(*say(row)), **display)


def personal_chip(unmasked: bool) -> str:
    tone, word = ("amber", _("Unmasked")) if unmasked else ("grey", _("Masked"))
    return toned_chip(tone, word)
