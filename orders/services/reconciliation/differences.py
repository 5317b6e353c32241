"""The life of a difference with the big-data side's books: open, over or accepted (contract 3.9, The whole truth).

While an order has an open difference it stands in the incident `difference`, which only the books or `accept` end.
"""

import datetime
from collections.abc import Collection, Iterable

from django.db.models import Q, QuerySet

from orders.books import Finding
from orders.content import canonical_json
from orders.models import AffectedOrder, BillingRecord, Difference, Dispatch, Order
from orders.services.incidents import BILLED_NOT_ACTIVE, DIFFERENCE, close_troubles, open_incident
from orders.steps import FIXES

Kind, State = Difference.Kind, Difference.State
UNKNOWN_RECORD = "unknown_record"
SHOWN = 3


def troubled(orders: Collection[Order]) -> set[int]:
    """Which of these orders a comparison must write about even if it finds nothing: they have an open difference, one
    that was put right and not checked since, or an incident that a comparison ends. Two queries."""
    numbers = {order.number: order.pk for order in orders}
    rows = Difference.objects.filter(state=State.OPEN, job_id__in=list(numbers)).exclude(kind=Kind.NOT_LISTED)
    rows = rows.order_by()
    ends = Q(incident__code__in=[DIFFERENCE, UNKNOWN_RECORD], incident__step="") | Q(incident__step__in=FIXES)
    ends |= Q(incident__code=BILLED_NOT_ACTIVE)
    ids = list(numbers.values())
    stopped = AffectedOrder.objects.filter(ends, closed_at=None)
    named = stopped.filter(Q(order__in=ids) | Q(order__trial__in=ids)).values_list("order_id", "order__trial_id")
    compared = {pk for pair in named for pk in pair} & set(ids)
    fixed = Difference.objects.filter(state=State.OVER, fix__isnull=False, checked_at=None).order_by()
    jobs = rows.values_list("job_id").union(fixed.filter(job_id__in=list(numbers)).values_list("job_id"))
    return compared | {numbers[job] for (job,) in jobs}


def without_accepted(order: Order, findings: Iterable[Finding]) -> list[Finding]:
    """Leaves out what staff live with and no record of ours can hold: rows that we have no record of."""
    findings = list(findings)
    if all(one.record for one in findings):
        return findings
    kept = Difference.objects.filter(job_id=order.number, state=State.ACCEPTED)
    known = {_face(row.kind, row.product_id, row.domain, row.detail) for row in kept}
    return [
        one for one in findings if one.record or _face(one.kind, one.product_id, one.domain, one.detail) not in known
    ]


def _face(kind: str, product_id: str, domain: str, detail: dict) -> tuple:
    """What makes two differences the same; what was done about them does not."""
    return kind, product_id, domain, detail.get("theirs"), canonical_json(detail.get("fields"))


def first_found(rows: QuerySet[Difference]) -> dict[tuple, datetime.datetime]:
    """Since when each thing that differs is known: one that is found anew is as old as before."""
    rows = rows.filter(state=State.OPEN).values_list("kind", "product_id", "domain", "found_at")
    return {tuple(what): found for *what, found in rows}


def keep_age(rows: Iterable[Difference], known: dict[tuple, datetime.datetime], now: datetime.datetime) -> None:
    """Gives new rows their age. `known`: of `first_found`, asked before the old rows were closed."""
    for row in rows:
        row.found_at = known.get((row.kind, row.product_id, row.domain), now)


def note_checked(order: Order, *, now: datetime.datetime) -> None:
    """The books are compared again after fixes, whatever is found."""
    rows = Difference.objects.filter(job_id=order.number, state=State.OVER, fix__isnull=False, checked_at=None)
    rows.update(checked_at=now)


def close_differences(rows: QuerySet[Difference], *, by: str, now: datetime.datetime) -> int:
    """These open differences are over: not found any more, or found anew."""
    return rows.filter(state=State.OPEN).update(state=State.OVER, closed_at=now, closed_by=by[:160])


def of_order(order: Order) -> QuerySet[Difference]:
    """The differences that a comparison of this order finds and closes; those from before its number was known too."""
    return Difference.objects.filter(job_id=order.number).exclude(kind=Kind.NOT_LISTED)


def tell_differences(order: Order, *, by: str, now: datetime.datetime) -> None:
    """The order (locked) stands in the incident as long as a difference of it is open."""
    still = list(Difference.objects.filter(job_id=order.number, state=State.OPEN).order_by("pk"))
    if still:
        detail = ", ".join(map(_in_short, still[:SHOWN])) + (f" … {len(still)}" if len(still) > SHOWN else "")
        open_incident(order, partner="bigdata", step="", code=DIFFERENCE, detail=detail, now=now)
    else:
        close_troubles(order, step="", code=DIFFERENCE, now=now, by=by)


def end_what_is_over(order: Order, *, by: str, now: datetime.datetime) -> None:
    """After a comparison of the (locked) order: what its answer, or the mere look, ends beside the differences."""
    _end_failed_fixes(order, by=by, now=now)
    _end_unknown(order, by=by, now=now)


def _in_short(row: Difference) -> str:
    name = row.domain or row.product_id or row.job_id
    return f"{name} ({row.detail.get('ours')} / {row.detail.get('theirs')})"


def _end_failed_fixes(order: Order, *, by: str, now: datetime.datetime) -> None:
    """A fix that failed is nobody's trouble once a later comparison has looked."""
    failed = order.dispatches.filter(step__in=FIXES, state=Dispatch.State.FAILED, superseded=False)
    for step in set(failed.values_list("step", flat=True)):
        failed.filter(step=step).update(superseded=True)
        close_troubles(order, step=step, now=now, by=by)


def _end_unknown(order: Order, *, by: str, now: datetime.datetime) -> None:
    """No record of unknown fate is left: neither this order nor one of its trial's is stopped by it."""
    stopped = AffectedOrder.objects.filter(
        Q(order=order) | Q(order__trial=order), incident__code=UNKNOWN_RECORD, closed_at=None
    )
    for row in stopped.select_related("order").order_by("pk"):
        owners = {row.order_id, row.order.trial_id}
        unknown = BillingRecord.objects.filter(order__in=owners - {None}, state=BillingRecord.State.UNKNOWN)
        if not unknown.exists():
            close_troubles(row.order, step="", code=UNKNOWN_RECORD, now=now, by=by)


def note_fixed(rows: Iterable[Dispatch], *, by: str, now: datetime.datetime) -> None:
    """Fixes that are done end the differences that they were planned for, and the incident with the last of them."""
    done = {row.pk: row.order for row in rows if row.step in FIXES}
    for pk, order in done.items():
        if close_differences(Difference.objects.filter(fix=pk), by=by, now=now):
            tell_differences(order, by=by, now=now)
