"""Staff notes about an order, an incident or a customer, as shown at the top of its page."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from orders.history.actors import actor_of
from orders.lists.personal_data import mask_text_or_json
from orders.models import Order
from orders.models.notes import StaffNote

NOTES_SHOWN, MAX_NOTES = 5, 200
LONGEST = 1000  # characters of a note at the top of a page


@dataclass(frozen=True)
class Note:
    at: datetime.datetime
    author: str | Promise
    text: str


@dataclass(frozen=True)
class Notes:
    """The notes of a page, newest first. `older` notes are collapsed.

    `hidden`: the reader may not see some notes. `more`: the URL of all notes. `write`: the URL for writing one.
    """

    shown: list[Note]
    older: list[Note] = field(default_factory=list)
    hidden: bool = False
    more: str = ""
    write: str = ""


def _build_note(at: datetime.datetime, by: str, account_id: int | None, text: str) -> Note:
    author = actor_of(by, account_id, at)[0] if by else _("unknown author")
    return Note(at, author, Truncator(mask_text_or_json(text)).chars(LONGEST))


def notes_within(rows: QuerySet, letters: frozenset[str] | None, *, others: bool, write: str = "") -> Notes:
    """Returns the notes that a reader limited to the attributions `letters` may see.

    If `others` is true, a note may be about an order outside these attributions. Then a note is shown only if the
    reader has all attributions of its author.
    """
    newest: Iterable[StaffNote] = list(rows.order_by("-pk")[:MAX_NOTES])
    visible = [row for row in newest if not others or (row.scope is not None and letters >= {*row.scope})]
    notes = [_build_note(row.at, row.by, row.account_id, row.text) for row in visible]
    return Notes(notes[:NOTES_SHOWN], notes[NOTES_SHOWN:], hidden=len(visible) < len(newest), write=write)


def notes_of_order(order: Order, *, more: str, write: str) -> Notes:
    """Returns the order's notes, which are stored as events. If there are none, `write` is empty: the page's menu has
    that link."""
    rows = order.events.filter(kind="note").order_by("-pk")[: NOTES_SHOWN + 1]
    notes = [_build_note(row.at, row.actor, row.account_id, str(row.data.get("reason", ""))) for row in rows]
    return Notes(notes[:NOTES_SHOWN], more=more if len(notes) > NOTES_SHOWN else "", write=write if notes else "")
