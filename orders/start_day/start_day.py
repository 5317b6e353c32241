"""Starts activations on their start day, and the related actions of staff (contract 3.9, One trigger)."""

import datetime
from collections.abc import Collection

from django.db import transaction

from orders.history.order_locks_and_events import add_event, lock_order, lock_orders, refresh_states
from orders.incidents.incidents import end_settled
from orders.models import Dispatch, Order
from orders.outbox.enqueue import wake
from orders.outbox.release_steps import release
from orders.replanning.withdrawal import withdraw_by_staff
from orders.start_day.move_start import why_moving
from orders.texts.errors import NotAllowedError


def activate(*, numbers: Collection[str] | None = None, by: str = "sweep", now: datetime.datetime) -> list[str]:
    """Starts the scheduled orders whose start day has come: their steps become due. `numbers` limits this to some
    orders. Returns the numbers of the started orders."""
    due = Order.objects.filter(state=Order.State.SCHEDULED, start_at__lte=now, undo_since=None)
    if numbers is not None:
        due = due.filter(number__in=numbers)
    ids = list(due.values_list("pk", flat=True)[:500])
    if not ids:
        return []
    with transaction.atomic():
        orders = lock_orders(ids)
        waited = _waiting_for_start(ids)
        release(now=now, order_ids=ids)
        begun = waited - _waiting_for_start(ids)
        changed = refresh_states(orders.values(), now=now, by=by)
        if changed:
            end_settled(changed, now=now, by=by)
        if begun:
            wake()
    return sorted({orders[pk].number for pk in begun} | {order.number for order in changed})


def run_start_day(*, number: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Starts a scheduled order on its day, in the same way as its job. Raises NotAllowedError and OrderUnknownError."""
    with transaction.atomic():
        order = lock_order(number)
        if why := why_not_run(order, now):
            raise why
        add_event(order, "activation_run", by=by, now=now, reason=reason)
        activate(numbers=[number], by=by, now=now)
    return Order.objects.get(pk=order.pk)


def why_not_run(order: Order, now: datetime.datetime) -> NotAllowedError | None:
    if not _waits_for_its_day(order):
        return NotAllowedError("no_start_day")
    return why_moving(order) if order.start_at <= now else NotAllowedError("start_not_come")


def call_off_start_day(*, number: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Withdraws a scheduled order before its day. Raises NotAllowedError and OrderUnknownError."""
    with transaction.atomic():
        order = lock_order(number)
        if why := why_not_call_off(order, now):
            raise why
        return withdraw_by_staff(number=number, reason=reason, by=by, now=now)


def why_not_call_off(order: Order, now: datetime.datetime) -> NotAllowedError | None:
    if not _waits_for_its_day(order):
        return NotAllowedError("no_start_day")
    return NotAllowedError("start_has_come") if order.start_at <= now else None


def _waits_for_its_day(order: Order) -> bool:
    return order.state == Order.State.SCHEDULED and order.start_at is not None and order.undo_since is None


def _waiting_for_start(ids: Collection[int]) -> set[int]:
    rows = Dispatch.objects.filter(order__in=ids, state=Dispatch.State.WAITING, gate=Dispatch.Gate.START, undo=False)
    return set(rows.values_list("order_id", flat=True))
