"""The checks at the end of a run. Each function yields its errors."""

from collections import Counter
from collections.abc import Iterator

from orders.models import AffectedOrder, Attempt, BillingRecord, Dispatch, Order
from orders.rules.host_names import domain_key

D, R = Dispatch.State, BillingRecord.State
AT_PARTNER = {R.LIVE: "1", R.CANCELLED: "2", R.DELETED: None, R.TO_SEND: None}


def all_wrong(accepted: dict[str, str], partners: dict) -> list[str]:
    """Returns all errors. `accepted` is {order number: the transIDH in the response 00000}. `partners` is the
    sandbox's state."""
    return [*lost_orders(accepted), *open_steps(), *different_records(partners["records"]), *doubled(partners)]


def summary() -> str:
    """Returns a line with the numbers of orders, records and attempts."""
    states = Counter(Order.objects.values_list("kind", "state"))
    orders = ", ".join(f"{count} {kind} {state}" for (kind, state), count in sorted(states.items()))
    records = Counter(BillingRecord.objects.values_list("state", flat=True))
    return f"orders: {orders}; records: {dict(records)}; attempts: {Attempt.objects.count()}"


def lost_orders(accepted: dict[str, str]) -> Iterator[str]:
    """Yields accepted orders that are not stored."""
    kept = dict(Order.objects.values_list("number", "trans_idh"))
    for number, idh in accepted.items():
        if kept.get(number) != idh:
            yield f"{number}: answered 00000 with {idh}, kept {kept.get(number)}"


def open_steps() -> Iterator[str]:
    """Yields steps that are neither finished (done, undone, closed) nor in an open incident. A waiting step must wait
    for something that can still happen.

    A failed forward step of a withdrawn order is ignored. Its effects are checked by the comparison of records.
    """
    troubled = set(AffectedOrder.objects.filter(closed_at=None).values_list("order_id", flat=True))
    rows = Dispatch.objects.filter(superseded=False).select_related("order")
    for row in rows.exclude(state__in=[D.DONE, D.UNDONE, D.CLOSED]):
        over = row.order.state == Order.State.WITHDRAWN and not row.undo
        fine = row.state == D.FAILED and (row.order_id in troubled or over)
        if not fine and not (row.state == D.WAITING and _may_wait(row, troubled)):
            yield f"{row.order.number} ({row.order.state}) {row.step}: {row.state} {row.error_code}"


def _may_wait(row: Dispatch, troubled: set[int]) -> bool:
    """Returns True if the step waits for BPM's decision, for a failed step of its order, or for a failed step of its
    trial."""
    if row.order_id in troubled or row.order.state == Order.State.AWAITING_APPROVAL:
        return True
    line = Dispatch.objects.filter(lane=row.lane, state=D.FAILED, superseded=False) if row.lane else []
    blocked = {ahead.order_id for ahead in line}
    mates = Dispatch.objects.filter(order=row.order, state=D.WAITING, position__lt=row.position, lane__isnull=False)
    return bool(blocked & troubled) or any(_may_wait(mate, troubled) for mate in mates)


def different_records(held: list[dict]) -> Iterator[str]:
    """Yields the differences between our records and the big-data side's records."""
    theirs = {(row["jobId"], row["productId"], domain_key(row["domain"])): row["cancelStatus"] for row in held}
    for row in BillingRecord.objects.select_related("order", "dispatch"):
        key = (row.order.number, row.product_id, row.domain_key)
        status = theirs.pop(key, None)
        if row.state == R.UNKNOWN:
            if not AffectedOrder.objects.filter(closed_at=None, order=row.dispatch.order).exists():
                yield f"{key}: unknown without an open incident"
        elif status != AT_PARTNER[row.state]:
            yield f"{key}: ours {row.state}, theirs {status}"
    for key, status in theirs.items():
        yield f"{key}: theirs {status}, unknown to us"


def doubled(partners: dict) -> Iterator[str]:
    """Yields work that was done twice: a key used with other bytes, a second process of an order, or a step done under
    two keys. Queries are ignored, because they change nothing."""
    for violation in partners["violations"]:
        yield f"violation {violation}"
    done = Dispatch.objects.filter(state=D.DONE, undo=False, position__lt=500).exclude(step=Dispatch.Step.ASK_BILLING)
    done = done.values_list("order__number", "step", "position")
    for step, count in Counter(done).items():
        if count > 1:
            yield f"{step} done {count} times"
