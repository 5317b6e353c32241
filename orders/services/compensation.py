"""Compensation by staff (contract section 5, `compensate`)."""

import datetime

from django.db import transaction

from orders.errors import NotAllowedError
from orders.models import Dispatch, Order
from orders.services.events import add_event
from orders.services.incidents import COMPENSATED, open_incident
from orders.services.locking import lock_order
from orders.services.undo import begin_undo
from orders.services.undo_plan import may_have_acted
from orders.services.undone import finish_undo


def compensate(*, number: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Stops an activation and deletes its billing records at the big-data side; the trial's come back. It ends failed.

    The order is `compensating` until the big-data side has answered. `reason` enters the order's history and an
    incident, which stands until the order is withdrawn or sent anew: no order is failed without one (contract 3.8).
    Raises OrderUnknownError, NotAllowedError (a trial or change, nothing sent, undone already, or a blank reason).
    """
    if not reason.strip():
        raise NotAllowedError("a compensation needs a reason")
    with transaction.atomic():
        order = lock_order(number)
        _check(order)
        add_event(order, "compensated", by=by, now=now, reason=reason.strip())
        begin_undo(order, ending=Order.State.FAILED, why=reason.strip(), by=by, now=now)
        open_incident(order, partner="order", step="", code=COMPENSATED, detail=reason.strip(), now=now)
        finish_undo(order, now=now, by=by)
    return order


def _check(order: Order) -> None:
    if order.kind != Order.Kind.ACTIVATION:
        raise NotAllowedError(f"order {order.number} is a {order.kind}; only activations are compensated")
    if order.undo_since:
        raise NotAllowedError(f"order {order.number} is undone already (state {order.state})")
    rows = order.dispatches.filter(channel=Dispatch.Channel.BILLING, superseded=False).defer("payload")
    if not any(may_have_acted(row) for row in rows):
        raise NotAllowedError(f"nothing of order {order.number} was sent to the big-data side (state {order.state})")
