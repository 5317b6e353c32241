"""Finishes the undoing of an order: final state, claim, trial and waiting orders (contract 3.9, 3.10)."""

import datetime
from collections.abc import Iterable

from django.db.models import QuerySet

from orders.db.compiled_sql import update_rows
from orders.intake.replan_held_orders import settle_followers
from orders.models import IS_LAST, ONLY_LAST, BillingRecord, Dispatch, Order, TrialClaim
from orders.outbox.billing_effects import acts_of
from orders.rules.steps import Step
from orders.undoing.claim_release import release_claim
from orders.undoing.late import unmark_undo_asked
from orders.undoing.start import give_ending
from orders.undoing.undo_steps import may_be_made


def note_undone(rows: Iterable[Dispatch], *, now: datetime.datetime) -> None:
    """Sets the states of the records of finished undo steps, and adjusts the remaining verifications."""
    for row in rows:
        if row.step == Step.DELETE_BILLING:
            _after_delete(row, now)
        elif row.step == Step.VERIFY_DELETED and row.is_last:
            set_records_state(row, BillingRecord.State.DELETED)


def _after_delete(row: Dispatch, now: datetime.datetime) -> None:
    """Marks the records as deleted. If another call may still create them, marks them as unknown instead and keeps the
    verifications. The last verification runs when no call can act any more (contract 3.9, Unknown)."""
    looks = Dispatch.objects.current().filter(order=row.order, step=Step.VERIFY_DELETED, attempts=0)
    looks = looks.filter(state__in=[Dispatch.State.WAITING, Dispatch.State.DUE])
    unsure, until = may_be_made(row.order, acts_of(row.order), now)
    unsure = unsure or until is not None
    if until:
        looks.filter(IS_LAST).update(not_before=until)
    else:
        looks.filter(IS_LAST).update(state=Dispatch.State.CLOSED, next_try_at=None)
        if unsure:
            looks.update(**ONLY_LAST)
        else:
            looks.update(state=Dispatch.State.CLOSED, next_try_at=None)
    set_records_state(row, BillingRecord.State.UNKNOWN if unsure else BillingRecord.State.DELETED)


def set_records_state(row: Dispatch, state: str) -> None:
    update_rows((BillingRecord(pk=pk, state=state, dispatch=row) for pk in row.records), ["state", "dispatch"])


def finish_undo(order: Order, *, now: datetime.datetime, by: str) -> bool:
    """Sets the final state of a (locked) order if no undo step or billing call is left. Given-up steps do not prevent
    the final state, but they keep the claim. Returns True if the order got its final state."""
    if not order.undo_since or _left(order).exists():
        return False
    ending = order.state == Order.State.COMPENSATING
    if ending:
        undone = order.dispatches.filter(
            state=Dispatch.State.DONE, undo=False, channel=Dispatch.Channel.BILLING, repeat=False
        )
        undone.current().exclude(step=Step.ASK_BILLING).update(state=Dispatch.State.UNDONE)
        if order.undo_to == Order.State.WITHDRAWN and order.kind == Order.Kind.TRIAL:
            failed = order.dispatches.filter(state=Dispatch.State.FAILED, undo=False, channel=Dispatch.Channel.BILLING)
            # orders that proceed on this trial do not wait for them
            failed.filter(repeat=False).current().update(state=Dispatch.State.UNDONE)
        # Before the claim is released: waiting orders are planned by this order's state.
        give_ending(order, order.undo_to, now=now, by=by)
    # A given-up deletion keeps the claim: the partner may still bill its records.
    if not given_up_undoing(order).exists():
        _set_free(order, now, by)
    return ending


def given_up_undoing(order: Order) -> QuerySet[Dispatch]:
    """Returns given-up deletions and undoing cancels that are still unsettled. They are settled by the partner's
    records or by `accept`."""
    return order.dispatches.current().filter(state=Dispatch.State.GIVEN_UP, undo=True, blocking=True)


def _left(order: Order) -> QuerySet[Dispatch]:
    """Returns the order's unfinished undo steps and billing calls. Steps that wait after a given-up step do not
    count."""
    rows = order.dispatches.current().filter(channel=Dispatch.Channel.BILLING)
    given_up = given_up_undoing(order).order_by("position").first()
    undoing = rows.filter(undo=True).exclude(
        state__in=[Dispatch.State.DONE, Dispatch.State.CLOSED, Dispatch.State.GIVEN_UP]
    )
    if given_up:
        undoing = undoing.exclude(state=Dispatch.State.WAITING, position__gt=given_up.position)
    return undoing | rows.filter(state__in=[Dispatch.State.DUE, Dispatch.State.SENDING, Dispatch.State.RETRYING])


def _set_free(order: Order, now: datetime.datetime, by: str) -> None:
    """Releases the claim, and plans the orders that waited for it. After a late undoing, the trial ends."""
    late = order.undo_asked_at is not None and order.kind == Order.Kind.ACTIVATION
    if late:
        unmark_undo_asked(order)
    claim = TrialClaim.objects.filter(activation=order, released_at=None).first()
    if claim:
        release_claim(claim, order, ends="undone_late" if late else "", now=now, by=by)
    elif order.kind == Order.Kind.ACTIVATION and order.trial:
        settle_followers(order.trial, now=now, by=by, held=[Order.Held.TRIAL_BUSY])
