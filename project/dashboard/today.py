"""Today's orders by kind and state. Held and failed ones have their reason. Pure."""

import datetime
from collections import defaultdict
from dataclasses import dataclass

from django.utils.translation import gettext as _

from orders.lists.chips import TONES
from orders.models import Order
from project.dashboard.figures import STOPPED
from project.dashboard.links import orders_link

State = Order.State


@dataclass(frozen=True)
class Number:
    """A number with its text, its tone (for a state) and the link to its list."""

    label: str
    number: int
    url: str
    tone: str = ""


@dataclass(frozen=True)
class KindRow:
    """One kind of order: the total of today, and the number in each state."""

    total: Number
    states: list[Number]


def kind_rows(rows: list[tuple], today: datetime.date) -> list[KindRow]:
    """Today's orders, with a row for each kind."""
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for day, kind, state, number in rows:
        if day == today and kind != STOPPED:
            counts[kind][state] = number
    return [_kind_row(kind, counts[kind]) for kind in Order.Kind]


def _kind_row(kind: Order.Kind, counts: dict[str, int]) -> KindRow:
    here = {"received": "today", "kind__exact": kind.value}
    states = [
        Number(state.label, counts[state], orders_link(**here, state__exact=state.value), TONES[state])
        for state in State
        if state in counts
    ]
    return KindRow(Number(kind.label, sum(counts.values()), orders_link(**here)), states)


def needing_rows(rows: list[tuple]) -> list[Number]:
    """The orders that need somebody: failed ones, held ones by reason, then those whose state alone does not say so."""
    places = {State.FAILED: 0, State.HELD: 1}
    return [_needing(*row) for row in sorted(rows, key=lambda row: (places.get(row[0], 2), -row[2], row[0]))]


def _needing(state: str, because: str, number: int) -> Number:
    if state == State.FAILED:
        return Number(_("Failed: an incident stopped them"), number, orders_link(state__exact=state), "red")
    if state == State.HELD:
        label = _("Held: %(why)s") % {"why": Order.Held(because).label}
        return Number(label, number, orders_link(held_because__exact=because, o="since"), "amber")
    label = _("%(state)s, and something is wrong") % {"state": State(state).label}
    return Number(label, number, orders_link(needs="somebody", state__exact=state, o="since"), "amber")
