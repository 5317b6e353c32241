"""Withdrawals by BBOSS: BackFlag 1 (contract 3.10)."""

import datetime
import uuid

from django.db import transaction
from django.utils import timezone

from orders.canonical import content_hash
from orders.content import Receipt
from orders.errors import NotAllowedError, RepeatCallError, TrialClaimedError
from orders.models import AcceptedCall, InboundMessage, Order
from orders.services.events import add_event
from orders.services.holds import WAITS_FOR_TRIAL, settle_followers
from orders.services.incidents import open_incident
from orders.services.locking import lock_order
from orders.services.planning import latest_shape, open_claim
from orders.services.undo import begin_undo, close_never_begun, give_ending
from orders.services.undone import finish_undo

Kind, State = Order.Kind, Order.State


def withdraw_order(number: str, *, raw: dict, trans_ido: str, message: InboundMessage) -> Receipt:
    """Withdraws an order of any kind: forward steps stop, what was sent is undone. Again: the first answer once more.

    Raises OrderUnknownError (3004), TrialClaimedError (3005), RepeatCallError (20002); nothing is stored then.
    """
    digest = content_hash(raw)
    with transaction.atomic():
        order = lock_order(number)
        known = _known_call(trans_ido, digest)
        again = bool(order.withdrawal_idh)
        if not again:
            withdraw(order, by="bboss", now=timezone.now(), reason="", idh=message.trans_idh)
        message.trans_idh = order.withdrawal_idh
        if not known:
            AcceptedCall.objects.create(trans_ido=trans_ido, content_hash=digest, order=order)
        message.save(force_insert=True)
    return Receipt(order_number=order.number, trans_idh=order.withdrawal_idh, repeated=again)


def _known_call(trans_ido: str, digest: str) -> bool:
    call = AcceptedCall.objects.filter(trans_ido=trans_ido).first()
    if call and call.content_hash != digest:
        raise RepeatCallError("this transIDO was accepted before with other content")
    return call is not None


def withdraw(order: Order, *, by: str, now: datetime.datetime, reason: str, idh: str) -> None:
    """The act itself, on a locked order. Raises TrialClaimedError for a trial that an activation holds."""
    if order.kind == Kind.TRIAL and open_claim(order):
        raise TrialClaimedError(f"an activation holds trial {order.number}: withdraw that first")
    order.withdrawal_idh = idh
    order.save(update_fields=["withdrawal_idh"])
    add_event(order, "withdrawn", by=by, now=now, reason=reason)
    if order.kind == Kind.CHANGE and must_stay(order):
        _leave_to_staff(order, by=by, now=now)
        return
    if order.kind == Kind.TRIAL:
        _withdraw_changes(order, by=by, now=now)
    begin_undo(order, ending=State.WITHDRAWN, why="withdrawn", by=by, now=now)
    finish_undo(order, now=now, by=by)
    if order.kind == Kind.TRIAL:  # activations that waited for it are held anew, for staff
        settle_followers(order, now=now, by=by, held=WAITS_FOR_TRIAL)


def must_stay(change: Order) -> bool:
    """A change under which others have been planned can't be undone by itself: their records rest on it."""
    if change.planned_at is None or change.undo_since:
        return False
    return bool(open_claim(change.trial)) or latest_shape(change.trial).pk != change.pk


def _leave_to_staff(change: Order, *, by: str, now: datetime.datetime) -> None:
    """Withdrawn, but its steps and records stay, with an incident: later orders were planned upon them, and would
    cancel records that were never made."""
    add_event(change, "state", by=by, now=now, old=change.state, new=State.WITHDRAWN)
    change.state, change.held_because = State.WITHDRAWN, Order.Held.NOT
    change.save(update_fields=["state", "held_because"])
    detail = f"{change.number}: later orders rest on it"
    open_incident(change, partner="order", step="", code="change_built_upon", detail=detail, now=now)


def _withdraw_changes(trial: Order, *, by: str, now: datetime.datetime) -> None:
    """A withdrawn trial takes its changes with it. What they had in the air is made sure of; the trial's own undoing
    then cancels what is live, so this comes before it."""
    changes = Order.objects.filter(trial=trial, kind=Kind.CHANGE, undo_since=None)
    for change in changes.order_by("pk").select_for_update(no_key=True):
        change.trial, change.undo_since = trial, now
        closed = close_never_begun(change)
        add_event(change, "undo_mark", by=by, now=now, why=f"trial {trial.number} withdrawn", closed=closed, steps=[])
        give_ending(change, State.WITHDRAWN, now=now, by=by)


def withdraw_by_staff(*, number: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """The same act by a member of staff; a later withdrawal by BBOSS is answered as a repetition of it.

    Raises OrderUnknownError, NotAllowedError (withdrawn already, or a blank reason), TrialClaimedError.
    """
    if not reason.strip():
        raise NotAllowedError("a withdrawal needs a reason")
    with transaction.atomic():
        order = lock_order(number)
        if order.withdrawal_idh or order.state == State.WITHDRAWN:
            raise NotAllowedError(f"order {number} is withdrawn already")
        withdraw(order, by=by, now=now, reason=reason.strip(), idh=uuid.uuid4().hex)
    return order
