"""Compares BBOSS's list of order numbers with ours (contract section 5, `reconcile --numbers`).

An unknown number is a difference without an order and without an incident. Its row stays open until the order arrives,
a later list is compared, or staff accept it. If one of our orders is missing in the list, the incident `difference`
lists it.
"""

import datetime
import itertools
from collections.abc import Collection, Iterable, Iterator

from django.db import transaction
from django.db.models import QuerySet

from orders.books.books import HeldRecord
from orders.books.differences import close_differences, first_found, keep_age, update_incident
from orders.history.order_locks_and_events import lock_orders
from orders.models import Difference, Order, Reconciliation
from orders.rules.content import canonical_json

UNKNOWN_NUMBER, NOT_LISTED = {"code": "unknown_number"}, {"code": "not_listed"}
NUMBERS_AT_ONCE = 200
RECORD_FIELDS = ("infoType", "enterpriseId", "createTime", "cancelTime")  # shown to staff


def unknown_numbers(numbers: Iterable[str]) -> Iterator[list[str]]:
    """Yields batches of those numbers that have no order, spelled as given."""
    for batch in _batches(numbers):
        known = set(Order.objects.filter(number__in=batch).values_list("number", flat=True))
        if unknown := [number for number in batch if number not in known]:
            yield unknown


def close_known(*, now: datetime.datetime, by: str = "sweep") -> int:
    """Closes the rows of numbers if their orders have arrived meanwhile. Returns how many rows it closed."""
    rows = Difference.objects.filter(kind=Difference.Kind.UNKNOWN_ORDER, state=Difference.State.OPEN)
    known = Order.objects.filter(number__in=rows.values("job_id")).values_list("number", flat=True)
    return sum(close_differences(rows.filter(job_id__in=batch), by=by, now=now) for batch in _batches(known))


@transaction.atomic
def keep_unknown(
    row: Reconciliation, number: str, held: Collection[HeldRecord], *, by: str, now: datetime.datetime
) -> list[Difference]:
    """Stores the big-data side's records of an unknown number, one row for each record. Replaces earlier rows that are
    not accepted."""
    rows = Difference.objects.filter(kind=Difference.Kind.UNKNOWN_ORDER, job_id=number)
    known = first_found(rows)
    close_differences(rows, by=by, now=now)
    accepted = {_identity(one) for one in rows.filter(state=Difference.State.ACCEPTED)}
    found = [_new_difference(row, number, record) for record in held] or [_new_difference(row, number, None)]
    keep_age(found, known, now)
    return Difference.objects.bulk_create([one for one in found if _identity(one) not in accepted], batch_size=500)


def _new_difference(row: Reconciliation, number: str, record: HeldRecord | None) -> Difference:
    detail = {"ours": "none", "theirs": "missing", "left": UNKNOWN_NUMBER}
    if record:
        held = {name: record.fields.get(name, "") for name in RECORD_FIELDS}
        detail |= {"theirs": "live" if record.live else "cancelled", "held": held}
    return Difference(
        reconciliation=row,
        job_id=number,
        kind=Difference.Kind.UNKNOWN_ORDER,
        product_id=record.product_id[:64] if record else "",
        domain=record.domain[:255] if record else "",
        detail=detail,
    )


def _identity(one: Difference) -> tuple:
    return one.product_id, one.domain, one.detail.get("theirs"), canonical_json(one.detail.get("held"))


def keep_not_listed(
    row: Reconciliation, orders: QuerySet[Order], listed: Collection[str], *, by: str, now: datetime.datetime
) -> list[Difference]:
    """Stores a difference for each of these orders that is missing in the list, and closes earlier differences about
    them. Returns the new differences."""
    rows = Difference.objects.filter(kind=Difference.Kind.NOT_LISTED)
    accepted = set(rows.filter(state=Difference.State.ACCEPTED).values_list("order_id", flat=True))
    before = set(rows.filter(state=Difference.State.OPEN).values_list("order_id", flat=True))
    found = []
    for pk, number in orders.order_by("pk").values_list("pk", "number"):
        lacking = number not in listed and pk not in accepted
        if lacking or pk in before:
            found += _save_not_listed(row, pk, lacking=lacking, by=by, now=now)
    return found


@transaction.atomic
def _save_not_listed(
    row: Reconciliation, pk: int, *, lacking: bool, by: str, now: datetime.datetime
) -> list[Difference]:
    order = lock_orders([pk])[pk]
    known = first_found(order.differences.filter(kind=Difference.Kind.NOT_LISTED))
    close_differences(order.differences.filter(kind=Difference.Kind.NOT_LISTED), by=by, now=now)
    detail = {"ours": "known", "theirs": "missing", "left": NOT_LISTED}
    found = Difference(
        reconciliation=row, order=order, job_id=order.number, kind=Difference.Kind.NOT_LISTED, detail=detail
    )
    keep_age([found], known, now)
    if lacking:
        found.save()
    update_incident(order, by=by, now=now)
    return [found] if lacking else []


def _batches(numbers: Iterable[str]) -> Iterator[list[str]]:
    left = iter(numbers)
    while batch := list(itertools.islice(left, NUMBERS_AT_ONCE)):
        yield batch
