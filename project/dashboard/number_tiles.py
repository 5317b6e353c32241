"""The dashboard's numbers, each with the link to its list: today's orders, orders that need somebody, waiting work.
Pure."""

import datetime
from collections import defaultdict
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from orders.limits.late_orders import LateCount
from orders.lists.chips import TONES
from orders.models import Order
from project.dashboard.dashboard_queries import STOPPED
from project.observability.desk_snapshot import WaitingGroup


@dataclass(frozen=True)
class Number:
    label: str
    number: int
    url: str
    tone: str = ""


@dataclass(frozen=True)
class KindRow:
    total: Number
    states: list[Number]


def kind_rows(rows: list[tuple], today: datetime.date) -> list[KindRow]:
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for day, kind, state, number in rows:
        if day == today and kind != STOPPED:
            counts[kind][state] = number
    return [_kind_row(kind, counts[kind]) for kind in Order.Kind]


def _kind_row(kind: Order.Kind, counts: dict[str, int]) -> KindRow:
    here = {"received": "today", "kind__exact": kind.value}
    states = [
        Number(state.label, counts[state], orders_link(**here, state__exact=state.value), TONES[state])
        for state in Order.State
        if state in counts
    ]
    return KindRow(Number(kind.label, sum(counts.values()), orders_link(**here)), states)


def needing_rows(rows: list[tuple]) -> list[Number]:
    """Returns the numbers of orders that need somebody: failed ones, held ones by reason, then others by state."""
    places = {Order.State.FAILED: 0, Order.State.HELD: 1}
    return [_needing(*row) for row in sorted(rows, key=lambda row: (places.get(row[0], 2), -row[2], row[0]))]


def _needing(state: str, because: str, number: int) -> Number:
    if state == Order.State.FAILED:
        return Number(_("Failed: an incident stopped them"), number, orders_link(state__exact=state), "red")
    if state == Order.State.HELD:
        label = _("Held: %(why)s") % {"why": Order.Held(because).label}
        return Number(label, number, orders_link(held_because__exact=because, o="since"), "amber")
    label = _("%(state)s, and something is wrong") % {"state": Order.State(state).label}
    return Number(label, number, orders_link(needs="somebody", state__exact=state, o="since"), "amber")


@dataclass(frozen=True)
class Waiting:
    """A number with the link to its list, the time of the oldest, and a few orders."""

    number: int
    since: datetime.datetime | None
    url: str
    rows: list["WaitingOrder"] = field(default_factory=list)


@dataclass(frozen=True)
class WaitingOrder:
    """One order. `urgent`: its customer is served and not billed, or BPM returned it."""

    number: str
    customer: str
    urgent: bool
    since: datetime.datetime | None
    url: str


def waiting_of(group: WaitingGroup, named: list[tuple], url: str) -> Waiting:
    rows = [
        WaitingOrder(number, customer, bool(urgent), since, reverse("admin:orders_order_change", args=[pk]))
        for kind, pk, number, customer, urgent, since in named
        if kind == group.what
    ]
    return Waiting(group.number, group.since, url, rows)


@dataclass(frozen=True)
class Place:
    """The late orders of an attribution. `very`: how many of them are far over time."""

    name: str
    number: int
    url: str
    very: int
    very_url: str


@dataclass(frozen=True)
class Late:
    """The late work: orders by attribution, most first; and conflicts."""

    places: list[Place]
    conflicts: Number

    @property
    def number(self) -> int:
        return sum(place.number for place in self.places)

    @property
    def very(self) -> int:
        return sum(place.very for place in self.places)

    @property
    def url(self) -> str:
        return orders_link(overtime="yes")


def late_of(rows: list[LateCount]) -> Late:
    number = sum(row.number for row in rows if row.of_conflicts)
    conflicts = Number(_("Conflicts over time"), number, listing("orders_conflict", overtime="yes"), "amber")
    return Late([_place(row) for row in rows if not row.of_conflicts], conflicts)


def _place(row: LateCount) -> Place:
    here = {"attribution__letters__exact": row.letters} if row.letters else {"attribution__isnull": "True"}
    urls = [orders_link(overtime=word, **here) for word in ("yes", "very")]
    return Place(row.name or _("without attribution"), row.number, urls[0], row.very, urls[1])


def listing(model: str, **filters) -> str:
    """The address of a model's list (`orders_order`) with these filters."""
    url = reverse(f"admin:{model}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url


def orders_link(**filters) -> str:
    return listing("orders_order", **filters)
