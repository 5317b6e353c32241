"""What follows when an order is undone: its ending, the claim, the trial, those who waited (contract 3.9, 3.10)."""

import datetime
from collections.abc import Iterable

from orders.models import BillingRecord, Dispatch, Order, TrialClaim
from orders.rows import update_rows
from orders.services.events import add_event
from orders.services.holds import settle_followers
from orders.services.planning import ended, latest_shape
from orders.services.undo import give_ending
from orders.services.undo_plan import LOOK_AGAIN

State, Step, Record = Dispatch.State, Dispatch.Step, BillingRecord.State
WAITS_FOR_CLAIM = [Order.Held.CLAIM_HELD, Order.Held.TRIAL_BUSY, Order.Held.TRIAL_HELD]


def leave_out_needless(rows: Iterable[Dispatch]) -> list[Order]:
    """Forward steps that ended without having acted, on orders that are being undone: what they did not make or cancel
    need not be undone. Returns the (locked) orders of which an undo step was closed by it."""
    touched = []
    for row in rows:
        if row.undo or not row.records or not row.order.undo_since:
            continue
        mirror = [Step.RESTORE_TRIAL] if row.step == Step.CANCEL_TRIAL else [Step.DELETE_BILLING, Step.VERIFY_DELETED]
        if row.step == Step.CREATE_TRIAL:
            mirror = [Step.CANCEL_TRIAL]
        for order in filter(None, (row.order, row.order.trial)):
            if _leave_out(order, mirror, set(row.records)):
                touched.append(order)
    return touched


def _leave_out(order: Order, steps: list[str], records: set[int]) -> int:
    undoing = order.dispatches.filter(undo=True, step__in=steps, state=State.WAITING, attempts=0, superseded=False)
    closed = 0
    for row in undoing.defer("payload"):
        row.records = [pk for pk in row.records if pk not in records]
        row.size = len(row.records)
        if not row.records:
            row.state, closed = State.CLOSED, closed + 1
        row.save(update_fields=["records", "size", "state"])
    return closed


def note_undone(rows: Iterable[Dispatch], *, now: datetime.datetime) -> None:
    """Writes what undo steps that are done brought about at the big-data side."""
    for row in rows:
        if row.step == Step.DELETE_BILLING:
            _after_delete(row, now)
        elif row.step == Step.VERIFY_DELETED and row.about.get("last"):
            _mark(row, Record.DELETED)


def _after_delete(row: Dispatch, now: datetime.datetime) -> None:
    """Deleted for sure, unless its making was uncertain: then it is looked at again in ten minutes.

    A call that was in the air when the undoing began may have been answered definitely since: no look is needed then.
    """
    looks = Dispatch.objects.filter(order=row.order, step=Step.VERIFY_DELETED, superseded=False, attempts=0)
    looks = looks.filter(state__in=[State.WAITING, State.DUE])
    unsure = _is_unsure(row.order)
    if unsure:
        unsure = looks.filter(about__last=True).update(not_before=now + LOOK_AGAIN)
    else:
        looks.update(state=State.CLOSED, next_try_at=None)
    _mark(row, Record.UNKNOWN if unsure else Record.DELETED)


def _mark(row: Dispatch, state: str) -> None:
    """Its records are in this state now, and it has brought them there."""
    update_rows((BillingRecord(pk=pk, state=state, dispatch=row) for pk in row.records), ["state", "dispatch"])


def _is_unsure(order: Order) -> bool:
    """Whether a making of the order's records ended without a definite answer."""
    made = order.dispatches.filter(step=Step.CREATE_BILLING, undo=False, superseded=False, attempts__gt=0)
    return made.filter(definite=False).exclude(state__in=[State.DONE, State.UNDONE]).exists()


def finish_undo(order: Order, *, now: datetime.datetime, by: str) -> bool:
    """Gives a (locked) order its ending once nothing is left to undo; True if it did."""
    if order.state != Order.State.COMPENSATING or _left(order):
        return False
    undone = order.dispatches.filter(state=State.DONE, undo=False, channel=Dispatch.Channel.BILLING, superseded=False)
    undone.update(state=State.UNDONE)
    give_ending(order, order.undo_to, now=now, by=by)
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
    trial = order.trial
    add_event(trial, "claim_released", by=by, now=now, activation=order.number)
    new = Order.State.ENDED if ended(latest_shape(trial), now) else Order.State.TRIALING
    if trial.state == Order.State.CONVERTED:
        add_event(trial, "state", by=by, now=now, old=trial.state, new=new)
        trial.state = new
        trial.save(update_fields=["state"])
    settle_followers(trial, now=now, by=by, held=WAITS_FOR_CLAIM)
