"""The states of a difference with the big-data side: open, over or accepted (contract 3.9, The whole truth).

An order with an open difference is in the incident `difference`. Only a comparison or `accept` ends that incident.
"""

import datetime
from collections.abc import Collection, Iterable

from django.db.models import Q, QuerySet

from orders.books.books import Discrepancy
from orders.history.states import WITH_LIVE_RECORDS, WITHOUT_RECORDS
from orders.incidents.incident_codes import BILLED_NOT_ACTIVE, DIFFERENCE
from orders.incidents.incidents import close_troubles, open_incident
from orders.models import AffectedOrder, BillingRecord, Difference, Dispatch, Order, Reconciliation
from orders.models.querysets import STOPPED_BY
from orders.rules.content import canonical_json
from orders.rules.steps import FIXES

UNKNOWN_RECORD = "unknown_record"
MAX_NAMED = 3
NOT_BILLED = Difference.Kind.NOT_BILLED.value
BY_NAME = {NOT_BILLED: "accept_not_billed", BILLED_NOT_ACTIVE: "accept_billed_not_active"}
"""Differences that are accepted only by their name (contract 3.9, 14): a missing record of an order that must be
billed, or a live record of one that must not. With the error of requests without the name."""
Shown = frozenset[tuple]


def troubled(orders: Collection[Order]) -> set[int]:
    """Returns orders for which a comparison must write something even if it finds nothing. Makes two queries.

    These orders have an open difference, a corrected difference that was not checked after the correction, or an
    incident that a comparison ends.
    """
    numbers = {order.number: order.pk for order in orders}
    rows = Difference.objects.filter(state=Difference.State.OPEN, job_id__in=list(numbers)).exclude(
        kind=Difference.Kind.NOT_LISTED
    )
    rows = rows.order_by()
    ends = Q(incident__code__in=[DIFFERENCE, UNKNOWN_RECORD], incident__step="") | Q(stopped_by__in=FIXES)
    ends |= Q(incident__code=BILLED_NOT_ACTIVE)
    ids = list(numbers.values())
    stopped = AffectedOrder.objects.unresolved().alias(stopped_by=STOPPED_BY).filter(ends)
    named = stopped.filter(Q(order__in=ids) | Q(order__trial__in=ids)).values_list("order_id", "order__trial_id")
    compared = {pk for pair in named for pk in pair} & set(ids)
    fixed = Difference.objects.filter(state=Difference.State.OVER, fix__isnull=False, checked_at=None).order_by()
    jobs = rows.values_list("job_id").union(fixed.filter(job_id__in=list(numbers)).values_list("job_id"))
    return compared | {numbers[job] for (job,) in jobs}


def without_accepted(order: Order, discrepancies: Iterable[Discrepancy]) -> list[Discrepancy]:
    """Returns the discrepancies. Leaves out discrepancies that staff accepted, if we have no record for them.

    For a discrepancy with a record of ours, the acceptance is stored in that record.
    """
    discrepancies = list(discrepancies)
    if all(one.record for one in discrepancies):
        return discrepancies
    kept = Difference.objects.filter(job_id=order.number, state=Difference.State.ACCEPTED)
    known = {_identity(row.kind, row.product_id, row.domain, row.detail) for row in kept}
    return [
        one
        for one in discrepancies
        if one.record or _identity(one.kind, one.product_id, one.domain, one.detail) not in known
    ]


def _identity(kind: str, product_id: str, domain: str, detail: dict) -> tuple:
    """Returns the identity of a difference. Actions on the difference do not change its identity."""
    return kind, product_id, domain, detail.get("theirs"), canonical_json(detail.get("fields"))


def shown_of(order: Order) -> Shown:
    """Returns the identities of the open differences of an order's records, to detect changes."""
    rows = of_order(order).filter(state=Difference.State.OPEN)
    return frozenset(_identity(row.kind, row.product_id, row.domain, row.detail) for row in rows)


def unknown_shown(number: str) -> Shown:
    """Returns the same as `shown_of`, for a number without an order."""
    rows = Difference.objects.filter(job_id=number, order=None, state=Difference.State.OPEN)
    held = [(row, canonical_json(row.detail.get("held"))) for row in rows]
    return frozenset((row.kind, row.product_id, row.domain, row.detail.get("theirs"), there) for row, there in held)


def told_shown(shown: Shown) -> str:
    """Returns the first MAX_NAMED of these differences as text for a terminal."""
    names = sorted(f"{domain or product} ({kind}, {theirs} there)" for kind, product, domain, theirs, _fields in shown)
    return ", ".join(names[:MAX_NAMED]) + (f" … {len(names)}" if len(names) > MAX_NAMED else "") if names else "nothing"


def is_over(order: Order) -> bool:
    """Returns True if no record of the order may be live any more."""
    return order.state in WITHOUT_RECORDS or (order.state == Order.State.FAILED and order.undo_since is not None)


def name_needed(order: Order, row: Difference) -> str:
    """Returns the name in BY_NAME that is required to accept this difference, or an empty string if no name is
    required."""
    ours, theirs = row.detail.get("ours"), row.detail.get("theirs")
    if theirs == "live" and is_over(order):
        return BILLED_NOT_ACTIVE
    if order.state in WITH_LIVE_RECORDS and ours == "live" and theirs in {"missing", "cancelled"}:
        return NOT_BILLED
    return ""


def open_found(order: Order, found: Collection[Discrepancy], *, by: str, now: datetime.datetime) -> None:
    """Opens differences of a (locked) order's records that were not found by a comparison."""
    run = Reconciliation.objects.create(started_at=now, finished_at=now, by=by[:160], orders=1, differences=len(found))
    Difference.objects.bulk_create(
        Difference(
            reconciliation=run,
            order=order,
            job_id=order.number,
            kind=one.kind,
            product_id=one.product_id[:64],
            domain=one.domain[:255],
            detail=one.detail,
            found_at=now,
        )
        for one in found
    )
    update_incident(order, by=by, now=now)


def first_found(rows: QuerySet[Difference]) -> dict[tuple, datetime.datetime]:
    """Returns when each difference was first found. A difference that is found again keeps its age."""
    rows = rows.filter(state=Difference.State.OPEN).values_list("kind", "product_id", "domain", "found_at")
    return {tuple(what): found for *what, found in rows}


def keep_age(rows: Iterable[Difference], known: dict[tuple, datetime.datetime], now: datetime.datetime) -> None:
    """Sets the age of new rows. `known` comes from `first_found`, called before the old rows were closed."""
    for row in rows:
        row.found_at = known.get((row.kind, row.product_id, row.domain), now)


def note_checked(order: Order, *, now: datetime.datetime) -> None:
    """Records that the fixed differences were compared again, whatever the result."""
    rows = Difference.objects.filter(
        job_id=order.number, state=Difference.State.OVER, fix__isnull=False, checked_at=None
    )
    rows.update(checked_at=now)


def close_differences(rows: QuerySet[Difference], *, by: str, now: datetime.datetime) -> int:
    """Closes these open differences, since they were not found again, or will be stored again."""
    return rows.filter(state=Difference.State.OPEN).update(
        state=Difference.State.OVER, closed_at=now, closed_by=by[:160]
    )


def of_order(order: Order) -> QuerySet[Difference]:
    """Returns the differences that a comparison of this order closes, including differences from before the order
    arrived."""
    return Difference.objects.filter(job_id=order.number).exclude(kind=Difference.Kind.NOT_LISTED)


def update_incident(order: Order, *, by: str, now: datetime.datetime, mail: bool = True) -> None:
    """Keeps the (locked) order in the incident while it has an open difference. `mail`: as in `open_incident`."""
    still = list(Difference.objects.filter(job_id=order.number, state=Difference.State.OPEN).order_by("pk"))
    if still:
        more = f" … {len(still)}" if len(still) > MAX_NAMED else ""
        detail = ", ".join(map(_summary, still[:MAX_NAMED])) + more
        params = {"code": "records_differ", "records": ", ".join(map(_name, still[:MAX_NAMED])) + more}
        about = {"partner": "bigdata", "step": "", "code": DIFFERENCE, "detail": detail, "params": params}
        open_incident(order, **about, now=now, mail=mail)
    else:
        close_troubles(order, step="", code=DIFFERENCE, now=now, by=by)


def end_what_is_over(order: Order, *, by: str, now: datetime.datetime) -> None:
    """Ends what a comparison of the (locked) order settles. This includes failed fixes and, once no unknown record is
    left, the incident about unknown records."""
    failed = order.dispatches.current().filter(step__in=FIXES, state=Dispatch.State.FAILED)
    for step in set(failed.values_list("step", flat=True)):
        failed.filter(step=step).update(superseded=True)
        close_troubles(order, step=step, now=now, by=by)
    stopped = AffectedOrder.objects.unresolved().filter(
        Q(order=order) | Q(order__trial=order), incident__code=UNKNOWN_RECORD
    )
    for row in stopped.select_related("order").order_by("pk"):
        owners = {row.order_id, row.order.trial_id}
        unknown = BillingRecord.objects.filter(order__in=owners - {None}, state=BillingRecord.State.UNKNOWN)
        if not unknown.exists():
            close_troubles(row.order, step="", code=UNKNOWN_RECORD, now=now, by=by)


def _name(row: Difference) -> str:
    return row.domain or row.product_id or row.job_id


def _summary(row: Difference) -> str:
    return f"{_name(row)} ({row.detail.get('ours')} / {row.detail.get('theirs')})"


def note_fixed(rows: Iterable[Dispatch], *, by: str, now: datetime.datetime) -> None:
    """Closes the differences for which these finished fixes were planned. With the last difference, the incident
    ends."""
    done = {row.pk: row.order for row in rows if row.step in FIXES}
    for pk, order in done.items():
        if close_differences(Difference.objects.filter(fix=pk), by=by, now=now):
            update_incident(order, by=by, now=now)
