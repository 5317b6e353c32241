"""What waits for people besides stuck orders: how much, since when, and the first few. Pure."""

import datetime
from dataclasses import dataclass, field

from django.urls import reverse

NOTHING = (0, None)


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


def waiting_of(
    what: str, told: dict[str, tuple[int, datetime.datetime | None]], named: list[tuple], url: str
) -> Waiting:
    """From the rows of `figures.attention`, by their `what`, and of `figures.waiting_orders`."""
    rows = [
        WaitingOrder(number, customer, bool(urgent), since, reverse("admin:orders_order_change", args=[pk]))
        for kind, pk, number, customer, urgent, since in named
        if kind == what
    ]
    return Waiting(*told.get(what, NOTHING), url, rows)
