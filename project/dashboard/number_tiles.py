"""The dashboard's numbers with links to their lists: today's orders, late orders, approvals. Pure."""

import datetime
from collections import defaultdict
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from orders.limits.late_orders import LateCount
from orders.lists.chips import TONES
from orders.models import Order
from project.dashboard.dashboard_queries import STOPPED


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


@dataclass(frozen=True)
class WaitingOrder:
    """An order that awaits approval. `returned` is True if BPM returned it."""

    number: str
    customer: str
    returned: bool
    since: datetime.datetime | None
    url: str


def waiting_of(rows: list[tuple]) -> list[WaitingOrder]:
    return [
        WaitingOrder(number, customer, returned, since, reverse("admin:orders_order_change", args=[pk]))
        for pk, number, customer, returned, since in rows
    ]


@dataclass(frozen=True)
class Place:
    """The late orders of an attribution. `very` is the number of orders far over time."""

    name: str
    number: int
    url: str
    very: int
    very_url: str


@dataclass(frozen=True)
class Late:
    """Late orders by attribution, and late conflicts."""

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
    """Returns the URL of a model's list (such as `orders_order`) with these filters."""
    url = reverse(f"admin:{model}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url


def orders_link(**filters) -> str:
    return listing("orders_order", **filters)
