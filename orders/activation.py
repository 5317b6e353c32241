"""Starts activations on their start day. The schedule, the sweep and a command call it (contract 3.9, One trigger)."""

import datetime
from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from orders.models import Dispatch, Order
from orders.services.order_state import lock_orders, refresh_states
from orders.services.outbox.enqueue import wake
from orders.services.outbox.release import release


def run_job(number: str) -> str:
    """The schedule's job for one order. It may run twice or late. Returns what it did, for the queue's log."""
    started = activate(numbers=[number], by="schedule", now=timezone.now())
    return f"{number}: {'started' if started else 'nothing to do'}"


def activate(*, numbers: Collection[str] | None, by: str, now: datetime.datetime) -> list[str]:
    """Starts the orders whose day has come. Returns their numbers. `numbers=None` means all orders.

    Their start-day steps become due. An order without such steps becomes active.
    """
    due = Order.objects.filter(state=Order.State.SCHEDULED, start_at__lte=now, undo_since=None)
    if numbers is not None:
        due = due.filter(number__in=numbers)
    ids = list(due.values_list("pk", flat=True)[:500])
    if not ids:
        return []
    with transaction.atomic():
        orders = lock_orders(ids)
        waited = _waiting_for_their_day(ids)
        release(now=now, order_ids=ids)
        begun = waited - _waiting_for_their_day(ids)
        changed = refresh_states(orders.values(), now=now, by=by)
        if begun:
            wake()
    return sorted({orders[pk].number for pk in begun} | {order.number for order in changed})


def _waiting_for_their_day(ids: Collection[int]) -> set[int]:
    """The orders among these with a start-day step that is not due yet."""
    rows = Dispatch.objects.filter(order__in=ids, state=Dispatch.State.WAITING, gate=Dispatch.Gate.START, undo=False)
    return set(rows.values_list("order_id", flat=True))
