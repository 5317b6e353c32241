"""What waits for people besides stuck orders: how much, since when, and the first few. Pure."""

import datetime
from dataclasses import dataclass, field

from django.urls import reverse

from project.observability.facts import Group


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


def waiting_of(group: Group, named: list[tuple], url: str) -> Waiting:
    """From a group of the facts and the rows of `figures.waiting_orders`."""
    rows = [
        WaitingOrder(number, customer, bool(urgent), since, reverse("admin:orders_order_change", args=[pk]))
        for kind, pk, number, customer, urgent, since in named
        if kind == group.what
    ]
    return Waiting(group.number, group.since, url, rows)
