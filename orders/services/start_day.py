"""What staff do about a start day: run it once it has come, or call it off before (contract 3.9, One trigger)."""

import datetime

from django.db import transaction

from orders.activation import activate
from orders.errors import NotAllowedError
from orders.models import Order
from orders.services.events import add_event
from orders.services.locking import lock_order
from orders.services.withdrawal import withdraw_by_staff

State = Order.State


def run_start_day(*, number: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Starts a scheduled order whose day has come, as its job would. Raises NotAllowedError and OrderUnknownError."""
    with transaction.atomic():
        order = lock_order(number)
        if order.state != State.SCHEDULED or order.undo_since or order.start_at > now:
            raise NotAllowedError(f"the start day of order {number} has not come, or is over (state {order.state})")
        add_event(order, "activation_run", by=by, now=now, reason=reason)
        activate(numbers=[number], by=by, now=now)
    return Order.objects.get(pk=order.pk)


def call_off_start_day(*, number: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Withdraws a scheduled order before its day. Its sent steps are undone and its schedule is removed.

    Raises NotAllowedError and OrderUnknownError.
    """
    with transaction.atomic():
        order = lock_order(number)
        if order.state != State.SCHEDULED or order.start_at <= now:
            raise NotAllowedError(f"order {number} does not wait for its start day (state {order.state})")
        return withdraw_by_staff(number=number, reason=reason, by=by, now=now)
