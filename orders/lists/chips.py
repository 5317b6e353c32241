"""States shown as coloured chips. Each of the six tones has one meaning everywhere.

Grey: not begun or closed. Blue: in progress. Violet: waits for a person. Amber: held or being retried. Red: failed.
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
"""The tone, label and explanation of a chip."""
TONES: dict[TextChoices, str] = {}
"""Tones by state. A state of two models has the same meaning in both."""


def add_tones(tones: Mapping[str, Tones]) -> None:
    """Adds the states of each tone to TONES. Called when a list is registered."""
    TONES.update({state: tone for tone, states in tones.items() for state in states})


def toned_chip(tone: str, words, meaning: str | Promise = "", *, url: str = "") -> str:
    """Returns the HTML of a chip. With `url` it is a link without the explanation."""
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
    """Returns True if `mark_orders` or `mark_records` found a doubt. Also returns True for a done or closed order that
    waits for a failed order."""
    marks = getattr(row, "marks", None)
    if marks and marks.behind and TONES[row.State(row.state)] in {"green", "grey"}:
        return True
    return bool(getattr(row, "doubt", False) or getattr(marks, "doubt", ""))


@functools.singledispatch
def undoubted_parts(row) -> ChipParts:
    """Returns the chip of a row with a `state`, ignoring doubts. Models with other labels register implementations of
    their own."""
    return parts_of(row.State(row.state))


def chip_parts(row) -> ChipParts:
    """Returns the chip of a row with a `state`. The chip of a doubtful row is amber or red."""
    if is_doubtful(row):
        state, doubt = row.State(row.state), _("Needs a look")
        meaning = _("It may be otherwise than this state says; its page says what needs a look.")
        return "red" if TONES[state] == "red" else "amber", f"{state.label} · {doubt}", meaning
    if accepted := getattr(getattr(row, "marks", None), "accepted", ""):
        state, (words, meaning) = row.State(row.state), ACCEPTED[accepted]  # staff accepted the doubt
        return TONES[state], f"{state.label} · {words}", meaning
    return undoubted_parts(row)


def chip_of(row) -> str:
    return toned_chip(*chip_parts(row))


def chip_column(label, say: Callable[[Any], ChipParts], **display) -> Callable:
    return column(label, lambda row: say(row)[1], lambda row: toned_chip(*say(row)), **display)


def personal_chip(unmasked: bool) -> str:
    tone, word = ("amber", _("Unmasked")) if unmasked else ("grey", _("Masked"))
    return toned_chip(tone, word)
