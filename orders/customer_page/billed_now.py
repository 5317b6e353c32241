"""What a customer is billed now, on which domains: our books beside what the big-data side last said."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Max, Min, Q, QuerySet
from django.utils.functional import Promise

from orders.models import BillingRecord, Difference, Order, Reconciliation
from orders.order_page.differences import SIDES

State, Type = BillingRecord.State, BillingRecord.Type
THERE = list(BillingRecord.THERE)


@dataclass(frozen=True)
class BilledLine:
    """The records of one order and product that the customer is billed by, or tries with.

    `unknown`: how many of them may not be there. `differing`: how many open differences the order has.
    """

    order: Order
    info_type: BillingRecord.Type
    product_id: str
    domains: int
    unknown: int
    since: datetime.datetime | None
    until: datetime.datetime | None
    differing: int


@dataclass(frozen=True)
class Theirs:
    """What the big-data side last said of a record, and when.

    `compared`: a comparison found both sides alike. Without it the record was only accepted when we sent it.
    """

    word: str | Promise
    at: datetime.datetime | None
    differs: bool
    compared: bool


def records_of(orders: QuerySet[Order]) -> QuerySet[BillingRecord]:
    """The records that are live at the big-data side, or may be."""
    return BillingRecord.objects.filter(order__in=orders.order_by().values("pk"), state__in=THERE)


def count_by_type(records: QuerySet[BillingRecord]) -> list[tuple[BillingRecord.Type, int, datetime.datetime | None]]:
    """(trial or commercial, number of records, since when); commercial first. One query."""
    rows = records.order_by().values_list("info_type").annotate(number=Count("pk"), since=Min("create_time"))
    return [(Type(kind), number, since) for kind, number, since in sorted(rows, reverse=True)]


def lines_of(records: QuerySet[BillingRecord]) -> QuerySet:
    """The records by order and product, commercial ones and the newest orders first; `billed_lines` fills a page."""
    return (
        records.order_by("-info_type", "-order_id", "product_id")
        .values("info_type", "order_id", "product_id")
        .annotate(
            domains=Count("pk"),
            unknown=Count("pk", filter=Q(state=State.UNKNOWN)),
            since=Min("create_time"),
            until=Max("cancel_time"),
        )
    )


def billed_lines(rows: Iterable[dict], orders: QuerySet[Order]) -> list[BilledLine]:
    """The rows of a page of `lines_of`, with their orders and open differences. Two queries."""
    rows = list(rows)
    known = orders.defer("content").in_bulk({row["order_id"] for row in rows})
    open_ones = Difference.objects.filter(state=Difference.State.OPEN, order__in=known.keys()).order_by()
    differing = dict(open_ones.values_list("order_id").annotate(number=Count("pk")))
    return [
        BilledLine(
            known[row["order_id"]], Type(row["info_type"]), row["product_id"], row["domains"], row["unknown"],
            row["since"], row["until"], differing.get(row["order_id"], 0),
        )
        for row in rows
        if row["order_id"] in known
    ]  # fmt: skip


def tell_theirs(records: Iterable[BillingRecord]) -> None:
    """Sets `theirs` and `doubt` on the records of a page, whose `dispatch` is loaded. Two queries."""
    records = list(records)
    rows = Difference.objects.filter(
        state=Difference.State.OPEN,
        order__in={row.order_id for row in records},
        domain__in={row.domain for row in records},
    )
    differing = {(row.order_id, row.product_id, row.domain): row for row in rows.order_by("pk")}
    last = last_comparison()
    for row in records:
        difference = differing.get((row.order_id, row.product_id, row.domain))
        row.doubt = difference is not None
        row.theirs = _differing(difference) if difference else _alike(row, last)


def last_comparison() -> Reconciliation | None:
    """The last comparison that reached its end."""
    return Reconciliation.objects.filter(finished_at__isnull=False, error="").first()


def _differing(row: Difference) -> Theirs:
    said = str(row.detail.get("theirs", "")) if isinstance(row.detail, dict) else ""
    return Theirs(SIDES.get(said, said), row.found_at, differs=True, compared=True)


def _alike(row: BillingRecord, last: Reconciliation | None) -> Theirs:
    told = row.dispatch.done_at if row.dispatch else None
    if last and (told is None or last.started_at > told) and row.state == State.LIVE:
        return Theirs(SIDES[row.state], last.finished_at, differs=False, compared=True)
    return Theirs(SIDES[row.state], told, differs=False, compared=False)
