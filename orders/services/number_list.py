"""Holds BBOSS's list of order numbers against ours (contract section 5, `reconcile --numbers`).

A number that we do not know is a difference without an order: no incident names it, so its row stays open until the
order is here, a later list is compared, or staff accept it.
"""

import datetime
from collections.abc import Collection, Iterable, Iterator

from django.db import transaction
from django.db.models import QuerySet

from orders.batches import in_batches
from orders.books import HeldRecord
from orders.models import Difference, Order, Reconciliation
from orders.services.differences import close_differences

Kind, State = Difference.Kind, Difference.State
UNKNOWN_NUMBER, NOT_LISTED = {"code": "unknown_number"}, {"code": "not_listed"}
KEPT = ("infoType", "enterpriseId", "createTime", "cancelTime")  # of a record of theirs, for who must judge it


def unknown_numbers(numbers: Iterable[str]) -> list[str]:
    """Those of which we have no order, as they came."""
    found = []
    for batch in _batches(numbers):
        known = set(Order.objects.filter(number__in=batch).values_list("number", flat=True))
        found += [number for number in batch if number not in known]
    return found


def close_known(*, by: str, now: datetime.datetime) -> int:
    """The numbers that became known since: their rows are over. Returns how many rows."""
    rows = Difference.objects.filter(kind=Kind.UNKNOWN_ORDER, state=State.OPEN)
    known = Order.objects.filter(number__in=rows.values("job_id")).values_list("number", flat=True)
    return sum(close_differences(rows.filter(job_id__in=batch), by=by, now=now) for batch in _batches(known))


@transaction.atomic
def keep_unknown(
    row: Reconciliation, number: str, held: Collection[HeldRecord], *, by: str, now: datetime.datetime
) -> list[Difference]:
    """Saves what the big-data side holds for a number that we do not know, one row for each record (or one that says
    that it holds none), in the place of what was found before; what staff live with is not found again."""
    rows = Difference.objects.filter(kind=Kind.UNKNOWN_ORDER, job_id=number)
    close_differences(rows, by=by, now=now)
    accepted = {_face(one) for one in rows.filter(state=State.ACCEPTED)}
    found = [_unknown(row, number, record) for record in held] or [_unknown(row, number, None)]
    return Difference.objects.bulk_create([one for one in found if _face(one) not in accepted], batch_size=500)


def _unknown(row: Reconciliation, number: str, record: HeldRecord | None) -> Difference:
    detail = {"ours": "none", "theirs": "missing", "left": UNKNOWN_NUMBER}
    if record:
        held = {name: record.fields.get(name, "") for name in KEPT}
        detail |= {"theirs": "live" if record.live else "cancelled", "held": held}
    return Difference(
        reconciliation=row,
        job_id=number,
        kind=Kind.UNKNOWN_ORDER,
        product_id=record.product_id[:64] if record else "",
        domain=record.domain[:255] if record else "",
        detail=detail,
    )


def _face(one: Difference) -> tuple:
    return one.product_id, one.domain, one.detail.get("theirs"), str(one.detail.get("held"))


@transaction.atomic
def keep_not_listed(
    row: Reconciliation, orders: QuerySet[Order], listed: Collection[str], *, by: str, now: datetime.datetime
) -> list[Difference]:
    """Saves which of these orders of ours the list lacks, in the place of what was found of them before."""
    rows = Difference.objects.filter(kind=Kind.NOT_LISTED)
    accepted = set(rows.filter(state=State.ACCEPTED).values_list("order_id", flat=True))
    ours = list(orders.order_by("pk").values_list("pk", "number"))
    open_ones = set(rows.filter(state=State.OPEN).values_list("order_id", flat=True)) & {pk for pk, _ in ours}
    for batch in in_batches(open_ones):
        close_differences(rows.filter(order__in=batch), by=by, now=now)
    found = [
        Difference(
            reconciliation=row, order_id=pk, job_id=number, kind=Kind.NOT_LISTED,
            detail={"ours": "known", "theirs": "missing", "left": NOT_LISTED},
        )
        for pk, number in ours
        if number not in listed and pk not in accepted
    ]  # fmt: skip
    return Difference.objects.bulk_create(found, batch_size=500)


def _batches(numbers: Iterable[str]) -> Iterator[list[str]]:
    numbers = list(numbers)
    for start in range(0, len(numbers), 1000):
        yield numbers[start : start + 1000]
