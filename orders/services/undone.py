"""What follows when an order is undone: its ending, the claim, the trial, those who waited (contract 3.9, 3.10)."""

import datetime
from collections.abc import Iterable

from orders.models import BillingRecord, Dispatch, Order, TrialClaim
from orders.services.events import add_event
from orders.services.holds import settle_followers
from orders.services.incidents import close_troubles
from orders.services.planning import ended, latest_shape
from orders.services.undo import LOOK_AGAIN

State, Step, Record = Dispatch.State, Dispatch.Step, BillingRecord.State
WAITS_FOR_CLAIM = [Order.Held.CLAIM_HELD, Order.Held.TRIAL_BUSY, Order.Held.TRIAL_HELD]


def note_undone(rows: Iterable[Dispatch], *, now: datetime.datetime, by: str) -> None:
    """Writes what undo steps that are done brought about, and finishes the orders that have none left."""
    orders = {}
    for row in rows:
        orders[row.order_id] = row.order
        if row.step == Step.DELETE_BILLING:
            _after_delete(row, now)
        elif row.step == Step.VERIFY_DELETED and row.about.get("last"):
            BillingRecord.objects.filter(pk__in=row.records).update(state=Record.DELETED, dispatch=row)
    for order in orders.values():
        finish_undo(order, now=now, by=by)


def _after_delete(row: Dispatch, now: datetime.datetime) -> None:
    """Deleted for sure, unless its making was uncertain: then it is looked at again in ten minutes."""
    again = Dispatch.objects.filter(order=row.order, step=Step.VERIFY_DELETED, superseded=False, state=State.WAITING)
    unsure = again.filter(about__last=True).update(not_before=now + LOOK_AGAIN)
    state = Record.UNKNOWN if unsure else Record.DELETED
    BillingRecord.objects.filter(pk__in=row.records).update(state=state, dispatch=row)


def finish_undo(order: Order, *, now: datetime.datetime, by: str) -> bool:
    """Gives a (locked) order its ending once nothing is left to undo; True if it did."""
    if order.state != Order.State.COMPENSATING or _left(order):
        return False
    undone = order.dispatches.filter(state=State.DONE, undo=False, channel=Dispatch.Channel.BILLING, superseded=False)
    undone.update(state=State.UNDONE)
    order.state, order.undo_to = order.undo_to, ""
    order.save(update_fields=["state", "undo_to"])
    add_event(order, "state", by=by, now=now, old=Order.State.COMPENSATING, new=order.state)
    if order.state == Order.State.WITHDRAWN:
        close_troubles(order, now=now, by=by)
    _release_claim(order, now, by)
    return True


def _left(order: Order) -> bool:
    """Whether anything of the undoing, or a forward billing call in the air, is still open."""
    rows = order.dispatches.filter(superseded=False, channel=Dispatch.Channel.BILLING)
    undoing = rows.filter(undo=True).exclude(state__in=[State.DONE, State.CLOSED])
    return undoing.exists() or rows.filter(state__in=[State.DUE, State.SENDING, State.RETRYING]).exists()


def _release_claim(order: Order, now: datetime.datetime, by: str) -> None:
    """The trial is free again: it runs on (or has ended), and orders that waited for it are decided about."""
    if not TrialClaim.objects.filter(activation=order, released_at=None).update(released_at=now):
        return
    trial = Order.objects.get(pk=order.trial_id)
    add_event(trial, "claim_released", by=by, now=now, activation=order.number)
    new = Order.State.ENDED if ended(latest_shape(trial), now) else Order.State.TRIALING
    if trial.state == Order.State.CONVERTED:
        add_event(trial, "state", by=by, now=now, old=trial.state, new=new)
        trial.state = new
        trial.save(update_fields=["state"])
    settle_followers(trial, now=now, by=by, held=WAITS_FOR_CLAIM)
