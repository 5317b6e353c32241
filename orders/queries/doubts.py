"""Which orders are not as fine as their state says. Pages, `status` and `/metrics` show it (contract 3.9, 14)."""

import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import Count, F, Min, Q, QuerySet, Value

from orders.models import AffectedOrder, BillingRecord, Difference, Order
from orders.models.dispatch import OPEN_STATES
from orders.queries.awaiting_approval import returned
from orders.services.incidents import BOOKS_ONLY
from orders.services.outbox.release import behind_what_stopped

Kind = Difference.Kind
DOUBT, BEHIND, RETURNED = "doubt", "behind", "returned"
SERVED = [Order.State.ACTIVE, Order.State.SCHEDULED, Order.State.TRIALING]
UNBILLED = Q(kind=Kind.NOT_BILLED, order__state__in=SERVED)
"""Differences of customers who have service, or will have it, and have no record at the big-data side."""


@dataclass(frozen=True, kw_only=True)
class Open:
    """The number of open differences, and since when there are any.

    `unbilled`: orders of served customers without a record. `unlisted`: differences that only say that BBOSS's list
    lacks an order. `mending`: differences that a step is correcting.
    """

    number: int = 0
    unbilled: int = 0
    unlisted: int = 0
    mending: int = 0
    since: datetime.datetime | None = None


def open_differences(rows: QuerySet[Difference] | None = None) -> QuerySet[Difference]:
    """The differences in `rows` (by default all) that nobody has settled or accepted."""
    return (Difference.objects.all() if rows is None else rows).filter(state=Difference.State.OPEN)


def count_open(rows: QuerySet[Difference] | None = None) -> Open:
    """Counts open differences in one query, which uses their index."""
    facts = open_differences(rows).aggregate(
        number=Count("pk"),
        unbilled=Count("order", filter=UNBILLED, distinct=True),
        unlisted=Count("pk", filter=Q(kind=Kind.NOT_LISTED)),
        mending=Count("pk", filter=Q(fix__state__in=OPEN_STATES)),
        since=Min("found_at"),
    )
    return Open(**facts)


def is_unbilled() -> Q:
    """Orders whose customer is served, but whose record the partner lacks as far as we know."""
    return Q(pk__in=open_differences().filter(UNBILLED).values("order"))


def differs() -> Q:
    """Orders with an open difference."""
    return Q(pk__in=open_differences().filter(order__isnull=False).values("order"))


@dataclass(frozen=True)
class Marks:
    """What a list must show about an order besides its state.

    `doubt` is a difference's kind or an incident's code that keeps the order from being shown as fine. `behind`: it
    waits behind a failed order. `returned`: BPM's latest record is a return.
    """

    doubt: str = ""
    behind: bool = False
    returned: bool = False


def mark_orders(orders: Iterable[Order]) -> None:
    """Sets `marks` on orders before they are shown, so that no chip wrongly says fine. One query."""
    orders = list(orders)
    found = _marks([order.pk for order in orders])
    for order in orders:
        told = found[order.pk]
        doubts = sorted(told[DOUBT], key=lambda code: code != Kind.NOT_BILLED)
        order.marks = Marks(next(iter(doubts), ""), bool(told[BEHIND]), bool(told[RETURNED]))


def _marks(ids: Collection[int]) -> dict[int, dict[str, list[str]]]:
    """`{order: {mark: codes}}`."""
    found: dict = defaultdict(lambda: defaultdict(list))
    if not ids:
        return found
    troubles = AffectedOrder.objects.unresolved().filter(order__in=ids, incident__code__in=BOOKS_ONLY)
    parts = [
        (open_differences().filter(order__in=ids), DOUBT, F("kind")),
        (troubles, DOUBT, F("incident__code")),
        (behind_what_stopped().filter(order__in=ids), BEHIND, Value("")),
        (returned().filter(order__in=ids), RETURNED, Value("")),
    ]
    first, *rest = [
        rows.order_by().annotate(what=Value(what), told=code).values_list("order_id", "what", "told")
        for rows, what, code in parts
    ]
    for order, what, code in first.union(*rest):
        found[order][what].append(code)
    return found


def mark_records(records: Iterable[BillingRecord]) -> None:
    """Sets `doubt` on records with an open difference, before they are shown. One query."""
    records = list(records)
    rows = open_differences().filter(
        order__in={record.order_id for record in records}, domain__in={record.domain for record in records}
    )
    differing = set(rows.values_list("order_id", "product_id", "domain")) if records else set()
    for record in records:
        record.doubt = (record.order_id, record.product_id, record.domain) in differing
