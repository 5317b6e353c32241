"""Compensation by staff (contract section 5, `compensate`)."""

import datetime

from django.db import transaction

from orders.books.differences import is_over
from orders.history.order_locks_and_events import add_event, lock_order
from orders.incidents.incident_codes import COMPENSATED
from orders.incidents.incidents import open_incident
from orders.models import Dispatch, Order
from orders.outbox.billing_effects import acts_of
from orders.texts.errors import NotAllowedError, check_reason
from orders.undoing.finish import finish_undo
from orders.undoing.late import is_late
from orders.undoing.start import begin_undo


def compensate(*, number: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Stops an activation, deletes its billing records at the big-data side and restores the trial's records.

    The order is `compensating` until the big-data side has answered. Then it is `failed`. `reason` is stored in the
    order's history and in an incident, since every failed order has an incident (contract 3.8). The incident is closed
    when the order is withdrawn or resent. Raises OrderUnknownError, and NotAllowedError if the order is a trial or
    change, was never sent, is undone already, or if the reason is blank.
    """
    check_reason(reason, "a compensation")
    with transaction.atomic():
        order = lock_order(number)
        if why := why_not_compensate(order, late=is_late(order, now), acted=may_be_undone(order), now=now):
            raise why
        add_event(order, "compensated", by=by, now=now, reason=reason.strip())
        begin_undo(order, ending=Order.State.FAILED, why=reason.strip(), by=by, now=now)
        open_incident(order, partner="order", step="", code=COMPENSATED, detail=reason.strip(), now=now)
        # If nothing is left to undo, the undoing ends here.
        finish_undo(order, now=now, by=by)
    return order


def may_be_undone(order: Order) -> bool:
    """Returns True if a call has acted or may have acted at the big-data side, or if BPM may have the order's
    process."""
    doubtful = order.dispatches.current().filter(step=Dispatch.Step.START_BPM, state=Dispatch.State.FAILED)
    return bool(acts_of(order)) or doubtful.filter(may_have_acted=True).exists()


def why_not_compensate(order: Order, *, late: bool, acted: bool, now: datetime.datetime) -> NotAllowedError | None:
    """Returns the reason why staff can't compensate the order.

    `acted`: the result of `may_be_undone`. It is True if a call may have reached a partner.
    """
    if order.kind != Order.Kind.ACTIVATION:
        return NotAllowedError("not_compensated", number=order.number, kind=order.kind)
    if order.undo_since:
        return why_undone(order, "undone_already", now)
    if late:
        return NotAllowedError("live_for_long", number=order.number)
    return None if acted else NotAllowedError("nothing_sent", number=order.number, state=order.state)


def why_undone(order: Order, code: str, now: datetime.datetime) -> NotAllowedError:
    """Returns the error for an attempt to undo an order that is already undone. If records of the order still exist,
    the error says how to delete them. Otherwise the error has the given code."""
    if is_over(order) and order.billing_records.not_over(now).exists():
        return NotAllowedError("undone_but_there", number=order.number, state=order.state)
    return NotAllowedError(code, number=order.number, state=order.state)
