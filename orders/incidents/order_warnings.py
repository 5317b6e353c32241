"""Decides which orders have warnings, and so are not fine (contract 3.9, 14).

An order is not fine if it is in `open_troubles`, `failed_steps`, `failed_mails` or `open_differences`, or if it waits
for a stopped step of another order. These orders are shown by `stuck`, lists, pages, the API, `status` and `/metrics`.
"""

import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from django.db.models import Count, DateTimeField, Exists, F, Min, OuterRef, Q, QuerySet, Value
from django.utils import timezone

from notifications.models import Mail
from orders.db.compiled_sql import Prepared, Slot
from orders.db.expressions import Among, OneOf
from orders.history.states import WITH_LIVE_RECORDS, WITHOUT_RECORDS
from orders.incidents.awaiting_approval import returned
from orders.incidents.incident_codes import BILLED_NOT_ACTIVE, BOOKS_ONLY, PARTNERS_OWN
from orders.models import AffectedOrder, BillingRecord, Difference, Dispatch, Order
from orders.models.dispatch import OPEN_STATES
from orders.models.querysets import UNRESOLVED
from orders.outbox.record_selection import LEFT
from orders.outbox.release_steps import blocked_steps
from orders.rules.steps import STEPS, Channel, Partner, Phase

DOUBT, STOPPED, BEHIND, RETURNED, ACCEPTED = "doubt", "stopped", "behind", "returned", "accepted"
SERVED = [Order.State.ACTIVE, Order.State.SCHEDULED, Order.State.TRIALING]
STOPPED_STATES = {
    Order.State.HELD,
    Order.State.FAILED,
    Order.State.REJECTED,
}  # states in which an order has stopped
BADLY_ENDED = Among("state", "failed", "closed", "undone")  # as in `dispatch_ended_badly` (orders/db/indexes.py)
STEPS_WITHOUT_STATE = [name for name, kind in STEPS.items() if kind.channel == Channel.USAGE]
"""Steps that do not affect the order's state. Like failed mails, their failures do not change how it is shown."""
UNBILLED = Q(kind=Difference.Kind.NOT_BILLED, order__state__in=SERVED)
"""Differences of customers who have service, or will have it, but no record at the big-data side."""


@dataclass(frozen=True, kw_only=True)
class Open:
    """The number of open differences, and the time of the oldest.

    The other fields count kinds of differences. `unbilled`: a served customer lacks a record. `unlisted`: an order is
    missing in BBOSS's list, and nothing else is wrong. `not_meant`: a record is equal on both sides but differs from
    its order. `mending`: a step is correcting the difference.
    """

    number: int = 0
    unbilled: int = 0
    unlisted: int = 0
    not_meant: int = 0
    mending: int = 0
    since: datetime.datetime | None = None


def open_differences(rows: QuerySet[Difference] | None = None) -> QuerySet[Difference]:
    """Returns the differences in `rows` (default: all) that are neither settled nor accepted."""
    return (Difference.objects.all() if rows is None else rows).filter(state=Difference.State.OPEN)


def open_troubles() -> QuerySet[AffectedOrder]:
    """Returns open incidents of orders, without accepted incidents and incidents about partners that are down or
    paused."""
    rows = AffectedOrder.objects.unresolved().filter(accepted_by="", incident__state__in=UNRESOLVED)
    return rows.exclude(incident__code__in=PARTNERS_OWN)


def failed_steps() -> QuerySet[Dispatch]:
    return still_matters(Dispatch.objects.current().filter(BADLY_ENDED, state=Dispatch.State.FAILED))


def failed_mails() -> QuerySet[Mail]:
    """Returns given-up mails about orders. Leaves out mails of withdrawn orders, and mails of an incident that staff
    resolved."""
    affected = AffectedOrder.objects.filter(incident__partner=Partner.MAIL, incident__step=OuterRef("kind"))
    seen_to = affected.filter(order=OuterRef("order"), closed_at__isnull=False).exclude(accepted_by="")
    failed = Mail.objects.given_up().beside_steps().exclude(order__state=Order.State.WITHDRAWN)
    return failed.exclude(Exists(seen_to))


def still_matters(rows: QuerySet[Dispatch]) -> QuerySet[Dispatch]:
    """Returns the stopped steps that still matter to their order.

    Excludes forward steps of an order that is being undone, and all steps of a withdrawn order. Also excludes repeats
    of an accepted call, which change nothing and have their own incident.
    """
    forward = Q(undo=False, position__lt=Phase.AFTER)
    undone = Q(order__undo_since__isnull=False) & forward
    return rows.filter(repeat=False).exclude(undone | Q(order__state=Order.State.WITHDRAWN))


def count_open(rows: QuerySet[Difference] | None = None) -> Open:
    """Counts open differences in one query, which uses the index of open differences."""
    facts = open_differences(rows).aggregate(
        number=Count("pk"),
        unbilled=Count("order", filter=UNBILLED, distinct=True),
        unlisted=Count("pk", filter=Q(kind=Difference.Kind.NOT_LISTED)),
        not_meant=Count("pk", filter=Q(kind=Difference.Kind.NOT_MEANT)),
        mending=Count("pk", filter=Q(fix__state__in=OPEN_STATES)),
        since=Min("found_at"),
    )
    return Open(**facts)


def is_unbilled() -> Q:
    return Q(pk__in=open_differences().filter(UNBILLED).values("order"))


def differs() -> Q:
    return Q(pk__in=open_differences().filter(order__isnull=False).values("order"))


@dataclass(frozen=True)
class Marks:
    """The warnings that lists show in addition to an order's state.

    `doubt`: why the order is not fine: the kind of a difference, or the code of an incident or failed step. `behind`:
    the order waits for a failed order. `returned`: BPM's latest record is a return. `accepted`: the name (`BY_NAME`) of
    a deviation of the order's records that staff accepted and that still exists.
    """

    doubt: str = ""
    behind: bool = False
    returned: bool = False
    accepted: str = ""

    @property
    def fine(self) -> bool:
        return not self.doubt and not self.behind


def mark_orders(orders: Iterable[Order]) -> None:
    """Sets `marks` on orders before they are shown. One query."""
    orders = list(orders)
    found = _marks([order.pk for order in orders])
    for order in orders:
        order.marks = _marks_of(order, found[order.pk])


def _marks_of(order: Order, codes: dict[str, list[str]]) -> Marks:
    """Returns the order's marks. Omits the codes of stopped steps if the order's state already shows that it has
    stopped."""
    doubts = sorted(codes[DOUBT], key=lambda code: code != Difference.Kind.NOT_BILLED)
    doubts += [] if order.state in STOPPED_STATES else sorted(code or "failed" for code in codes[STOPPED])
    return Marks(next(iter(doubts), ""), bool(codes[BEHIND]), bool(codes[RETURNED]), next(iter(codes[ACCEPTED]), ""))


def _marks(ids: Collection[int]) -> dict[int, dict[str, list[str]]]:
    """Returns `{order: {mark: codes}}`."""
    found: dict = defaultdict(lambda: defaultdict(list))
    for order, what, code in MARKS(orders=ids, now=timezone.now()) if ids else []:
        found[order][what].append(code)
    return found


def _marks_of_orders() -> QuerySet:
    """Returns rows (order, mark, code)."""
    among = OneOf("order_id", "orders")
    troubles = open_troubles().filter(among)
    told_apart = Q(incident__code__in=BOOKS_ONLY)
    aside = Q(incident__partner=Partner.MAIL) | Q(incident__step__in=STEPS_WITHOUT_STATE)
    parts = [
        (open_differences().filter(among), DOUBT, F("kind")),
        (troubles.filter(told_apart), DOUBT, F("incident__code")),
        (troubles.exclude(told_apart | aside), STOPPED, F("incident__code")),
        (failed_steps().filter(among).exclude(step__in=STEPS_WITHOUT_STATE), STOPPED, F("error_code")),
        (blocked_steps().filter(among), BEHIND, Value("")),
        (returned().filter(among), RETURNED, Value("")),
        *((rows.filter(among), ACCEPTED, Value(name)) for name, rows in accepted_as_they_are()),
    ]
    first, *rest = [
        rows.order_by().annotate(what=Value(what), code=code).values_list("order_id", "what", "code")
        for rows, what, code in parts
    ]
    return first.union(*rest)


def accepted_as_they_are() -> Iterator[tuple[str, QuerySet]]:
    """Yields pairs of a name (`BY_NAME`) and the accepted differences or troubles with that name. Only orders with a
    record that staff left unchanged count."""
    left = BillingRecord.objects.filter(order=OuterRef("order"), accepted__has_key=LEFT)
    gone = left.filter(state__in=[BillingRecord.State.DELETED, BillingRecord.State.CANCELLED])
    live = left.filter(state=BillingRecord.State.LIVE, cancel_time__gt=Slot("now", DateTimeField()))
    over = Q(order__state__in=WITHOUT_RECORDS) | Q(order__state=Order.State.FAILED, order__undo_since__isnull=False)
    for name, where, records in (
        (Difference.Kind.NOT_BILLED.value, Q(order__state__in=WITH_LIVE_RECORDS), gone),
        (BILLED_NOT_ACTIVE, over, live),
    ):
        yield name, Difference.objects.filter(where, Exists(records), state=Difference.State.ACCEPTED)
        troubles = AffectedOrder.objects.filter(where, Exists(records), closed_at__isnull=False)
        yield name, troubles.exclude(accepted_by="")


MARKS = Prepared(_marks_of_orders)


def accepted_of(order: Order) -> str:
    """Returns the name of an accepted deviation of the order's records, or an empty string if none exists any more."""
    return next(iter(_marks([order.pk])[order.pk][ACCEPTED]), "")


def mark_records(records: Iterable[BillingRecord]) -> None:
    """Sets `doubt` on records with an open difference, before they are shown. One query."""
    records = list(records)
    rows = open_differences().filter(
        order__in={record.order_id for record in records}, domain__in={record.domain for record in records}
    )
    differing = set(rows.values_list("order_id", "product_id", "domain")) if records else set()
    for record in records:
        record.doubt = (record.order_id, record.product_id, record.domain) in differing
