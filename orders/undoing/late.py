"""Late undoing (contract 3.9, 16): an activation that has been live for over a day is not undone automatically.

The customer owes for the time since the start. Staff choose whether the records are cancelled from now on or deleted.
"""

import datetime

from django.db.models import Q

from orders.history.order_locks_and_events import add_event
from orders.incidents.incident_codes import LATE_UNDO
from orders.incidents.incidents import close_troubles, open_incident
from orders.models import BillingRecord, Dispatch, Order
from orders.outbox.record_selection import moved_to

A_DAY = datetime.timedelta(days=1)


def is_late(order: Order, now: datetime.datetime) -> bool:
    """Returns True for an activation that is billed, was accepted by BPM, and started more than a day ago.

    While it is unknown whether the start of the order was moved, the earlier start counts. Otherwise records might be
    deleted although the customer owes for them (contract 3.9, 18).
    """
    if order.kind != Order.Kind.ACTIVATION or order.undo_since:
        return False
    since = now - A_DAY
    moves = order.dispatches.current().filter(step=Dispatch.Step.MOVE_START, state=Dispatch.State.FAILED)
    early = any(moved_to(move) < since for move in moves.filter(frozen_at__isnull=False).defer("payload"))
    unsure = Q(state=BillingRecord.State.UNKNOWN, dispatch__step=Dispatch.Step.MOVE_START)
    begun = Q(create_time__lt=since) | (unsure if early else Q(pk=None))
    billed = order.billing_records.filter(Q(state=BillingRecord.State.LIVE) | unsure).filter(begun)
    accepted = order.dispatches.current().filter(step=Dispatch.Step.START_BPM, state=Dispatch.State.DONE, repeat=False)
    return billed.exists() and accepted.exists()


def ask_staff(order: Order, *, why: str, now: datetime.datetime, by: str) -> None:
    """Leaves the (locked) order unchanged and opens an incident that asks staff. Other orders of its trial wait."""
    mark_undo_asked(order, now)
    add_event(order, "late_undo_asked", by=by, now=now, why=why)
    open_incident(order, partner="order", step="", code=LATE_UNDO, detail=why, now=now, params={"code": why})


def mark_undo_asked(order: Order, now: datetime.datetime) -> None:
    """Marks the (locked) order and its trial. New orders of that trial wait until the undoing is finished."""
    for row in (order, order.trial):
        if row.undo_asked_at is None:
            row.undo_asked_at = now
            row.save(update_fields=["undo_asked_at"])


def unmark_undo_asked(order: Order) -> None:
    """Removes the mark from the order, and from its trial unless another order of the trial is marked."""
    order.undo_asked_at = None
    order.save(update_fields=["undo_asked_at"])
    if not Order.objects.filter(trial=order.trial, undo_asked_at__isnull=False).exists():
        order.trial.undo_asked_at = None
        order.trial.save(update_fields=["undo_asked_at"])


def end_question(order: Order, *, now: datetime.datetime, by: str) -> None:
    """Removes the mark and closes the incident, after staff have decided or keep the order as it is."""
    unmark_undo_asked(order)
    close_troubles(order, code=LATE_UNDO, now=now, by=by)
