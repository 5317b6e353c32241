"""A customer's current billing by domain: our records, and the last known state at the big-data side."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Max, Min, Q, QuerySet
from django.utils.functional import Promise

from orders.models import BillingRecord, Difference, Dispatch, Order, Reconciliation
from orders.models.dispatch import OPEN_STATES
from orders.order_words.differences import SIDES

Key = tuple[int, str, str]  # order, productId, domain
BILLING = Dispatch.Channel.BILLING


@dataclass(frozen=True)
class Counted:
    """The records of a type: the `number` in force and `since` when, and the number that begin `later` and when the
    first of those `begins`."""

    info_type: BillingRecord.Type
    number: int
    since: datetime.datetime | None
    later: int
    begins: datetime.datetime | None


@dataclass(frozen=True)
class BilledLine:
    """The commercial or trial records of one order and product.

    `unknown`: the number of records that may be missing at the big-data side. `differing`: the number of the order's
    open differences. `later`: the records are not in force yet.
    """

    order: Order
    info_type: BillingRecord.Type
    product_id: str
    domains: int
    unknown: int
    since: datetime.datetime | None
    until: datetime.datetime | None
    differing: int
    later: bool


@dataclass(frozen=True)
class Theirs:
    """The last known state of a record at the big-data side, with its time.

    `compared`: the state is the result of a comparison. Otherwise the partner only accepted the record when we sent it.
    """

    word: str | Promise
    at: datetime.datetime | None
    differs: bool
    compared: bool


def records_of(orders: QuerySet[Order], *, now: datetime.datetime) -> QuerySet[BillingRecord]:
    """Returns the records that are, or may be, live at the big-data side. A record ends by itself at its cancelTime."""
    return BillingRecord.objects.not_over(now).filter(order__in=orders.order_by().values("pk"))


def count_by_type(records: QuerySet[BillingRecord], *, now: datetime.datetime) -> list[Counted]:
    """Counts the records by type, commercial ones first. One query."""
    later = Q(create_time__gt=now)
    rows = (
        records.order_by()
        .values_list("info_type")
        .annotate(
            number=Count("pk", filter=~later | Q(create_time=None)),
            since=Min("create_time", filter=~later),
            later=Count("pk", filter=later),
            begins=Min("create_time", filter=later),
        )
    )
    return [
        Counted(BillingRecord.Type(kind), *facts) for kind, *facts in sorted(rows, key=lambda row: row[0], reverse=True)
    ]


def lines_of(records: QuerySet[BillingRecord]) -> QuerySet:
    """Groups the records by order and product, commercial ones and the newest orders first, for `billed_lines`."""
    return (
        records.order_by("-info_type", "-order_id", "product_id")
        .values("info_type", "order_id", "product_id")
        .annotate(
            domains=Count("pk"),
            unknown=Count("pk", filter=Q(state=BillingRecord.State.UNKNOWN)),
            since=Min("create_time"),
            until=Max("cancel_time"),
        )
    )


def billed_lines(rows: Iterable[dict], orders: QuerySet[Order], *, now: datetime.datetime) -> list[BilledLine]:
    """Returns the rows of a page of `lines_of`, with their orders and open differences. Two queries."""
    rows = list(rows)
    known = orders.defer("content").in_bulk({row["order_id"] for row in rows})
    open_ones = Difference.objects.filter(state=Difference.State.OPEN, order__in=known.keys()).order_by()
    differing = dict(open_ones.values_list("order_id").annotate(number=Count("pk")))
    return [
        BilledLine(
            known[row["order_id"]],
            BillingRecord.Type(row["info_type"]),
            row["product_id"],
            row["domains"],
            row["unknown"],
            row["since"],
            row["until"],
            differing.get(row["order_id"], 0),
            bool(row["since"] and row["since"] > now),
        )
        for row in rows
        if row["order_id"] in known
    ]


def set_theirs(records: Iterable[BillingRecord]) -> None:
    """Sets `theirs` and `doubt` on the records of a page, whose `dispatch` is loaded. Three queries."""
    records = list(records)
    orders = {row.order_id for row in records}
    last = Reconciliation.objects.filter(finished_at__isnull=False, error="", whole=True).first()
    differing, left_out = _open_differences(records, orders), _left_out(orders, last)
    for row in records:
        difference = differing.get((row.order_id, row.product_id, row.domain)) or differing.get((row.order_id, "", ""))
        row.doubt = difference is not None
        row.theirs = _differing(difference) if difference else _alike(row, None if row.order_id in left_out else last)


def _open_differences(records: Iterable[BillingRecord], orders: set[int]) -> dict[Key, Difference]:
    """Returns the differences of these records. Orders whose answer can't be read have an empty product and domain."""
    unread = Q(kind=Difference.Kind.UNREADABLE, domain="", detail__theirs="unreadable")
    named = Q(domain__in={row.domain for row in records})
    rows = Difference.objects.filter(unread | named, state=Difference.State.OPEN, order__in=orders).order_by("pk")
    return {(row.order_id, row.product_id, row.domain): row for row in rows}


def _left_out(orders: set[int], last: Reconciliation | None) -> set[int]:
    """Returns the orders whose billing changed during the comparison or since: it may have left them out."""
    if last is None:
        return set()
    moved = Dispatch.objects.filter(Q(done_at__gt=last.started_at) | Q(state__in=OPEN_STATES), channel=BILLING)
    own, lane = (moved.filter(**{f"{name}__in": orders}).order_by().values_list(name) for name in ("order", "lane"))
    return {pk for (pk,) in own.union(lane)}


def _differing(row: Difference) -> Theirs:
    said = str(row.detail.get("theirs", "")) if isinstance(row.detail, dict) else ""
    return Theirs(SIDES.get(said, said), row.found_at, differs=True, compared=True)


def _alike(row: BillingRecord, last: Reconciliation | None) -> Theirs:
    done_at = row.dispatch.done_at if row.dispatch else None
    if last and (done_at is None or last.started_at > done_at) and row.state == BillingRecord.State.LIVE:
        return Theirs(SIDES[row.state], last.finished_at, differs=False, compared=True)
    return Theirs(SIDES[row.state], done_at, differs=False, compared=False)
