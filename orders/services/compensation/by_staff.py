"""Compensation by staff (contract section 5, `compensate`)."""

import datetime

from django.db import transaction

from orders.errors import NotAllowedError, check_reason
from orders.models import Order
from orders.services.compensation.finish import finish_undo
from orders.services.compensation.late import is_late
from orders.services.compensation.start import begin_undo
from orders.services.events import add_event
from orders.services.incidents import COMPENSATED, open_incident
from orders.services.order_state import lock_order
from orders.services.outbox.acts import acts_of


def compensate(*, number: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Stops an activation and deletes its billing records at the big-data side; the trial's come back. It ends failed.

    The order is `compensating` until the big-data side has answered. `reason` enters the order's history and an
    incident, which stands until the order is withdrawn or sent anew: no order is failed without one (contract 3.8).
    Raises OrderUnknownError, NotAllowedError (a trial or change, nothing sent, undone already, or a blank reason).
    """
    check_reason(reason, "a compensation")
    with transaction.atomic():
        order = lock_order(number)
        if why := why_not_compensate(order, now):
            raise NotAllowedError(why)
        add_event(order, "compensated", by=by, now=now, reason=reason.strip())
        begin_undo(order, ending=Order.State.FAILED, why=reason.strip(), by=by, now=now)
        open_incident(order, partner="order", step="", code=COMPENSATED, detail=reason.strip(), now=now)
        finish_undo(order, now=now, by=by)
    return order


def why_not_compensate(order: Order, now: datetime.datetime) -> str:
    """Why staff can't compensate the order; empty if they can."""
    if order.kind != Order.Kind.ACTIVATION:
        return f"order {order.number} is a {order.kind}; only activations are compensated"
    if order.undo_since:
        return f"order {order.number} is undone already (state {order.state})"
    if is_late(order, now):
        return f"order {order.number} has been live for more than a day: use withdraw with --cancel or --delete"
    if not acts_of(order):
        return f"nothing of order {order.number} was sent to the big-data side (state {order.state})"
    return ""
