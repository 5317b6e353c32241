"""Finishes the undoing of an order: its ending, the claim, the trial, the orders that waited (contract 3.9, 3.10)."""

import datetime
from collections.abc import Collection, Iterable

from django.db.models import QuerySet

from orders.db.compiled_sql import update_rows
from orders.models import BillingRecord, Dispatch, Order, TrialClaim
from orders.services.compensation.late import unmark_undo_asked
from orders.services.compensation.plan import LOOK_AGAIN
from orders.services.compensation.start import give_ending
from orders.services.holds import settle_followers
from orders.services.order_state import move_trial, read_trial
from orders.services.outbox.effects import acts_of, records_of
from orders.services.trials import WAITS_FOR_CLAIM, release_claim
from orders.steps import STEPS

State, Step, Record = Dispatch.State, Dispatch.Step, BillingRecord.State


def leave_out_needless(rows: Iterable[Dispatch]) -> list[Order]:
    """Removes from undo steps the records that these forward steps did not touch after all.

    A forward step may end without having acted while its order is being undone. Then there is nothing to undo. Returns
    the (locked) orders that had an undo step closed.
    """
    touched = []
    for row in rows:
        if row.undo or row.repeat or not row.records or not row.order.undo_since or not STEPS[row.step].undone_by:
            continue
        needless = set(row.records) - set(records_of(acts_of(row.order), row.step))
        for order in filter(None, (row.order, row.order.trial)):
            if needless and _leave_out(order, STEPS[row.step].undone_by, needless):
                touched.append(order)
    return touched


def _leave_out(order: Order, steps: Collection[str], records: set[int]) -> int:
    undoing = order.dispatches.current().filter(undo=True, step__in=steps, state=State.WAITING, attempts=0)
    closed = 0
    for row in undoing.defer("payload"):
        row.records = [pk for pk in row.records if pk not in records]
        row.size = len(row.records)
        if not row.records:
            row.state, closed = State.CLOSED, closed + 1
        row.save(update_fields=["records", "size", "state"])
    return closed


def note_undone(rows: Iterable[Dispatch], *, now: datetime.datetime) -> None:
    """Saves the records' states after undo steps that are done."""
    for row in rows:
        if row.repeat:
            continue
        if row.step == Step.DELETE_BILLING:
            _after_delete(row, now)
        elif row.step == Step.VERIFY_DELETED and row.about.get("last"):
            set_records_state(row, Record.DELETED)


def _after_delete(row: Dispatch, now: datetime.datetime) -> None:
    """Marks the records as deleted. If it is uncertain whether they were made, the last look comes in ten minutes.

    A call that was in the air when the undoing began may have been answered definitely since. Then no look is needed.
    """
    looks = Dispatch.objects.current().filter(order=row.order, step=Step.VERIFY_DELETED, attempts=0)
    looks = looks.filter(state__in=[State.WAITING, State.DUE])
    unsure = _is_unsure(row.order)
    if unsure:
        unsure = looks.filter(about__last=True).update(not_before=now + LOOK_AGAIN)
    else:
        looks.update(state=State.CLOSED, next_try_at=None)
    set_records_state(row, Record.UNKNOWN if unsure else Record.DELETED)


def set_records_state(row: Dispatch, state: str) -> None:
    """Gives a dispatch's records this state, and notes the dispatch as the cause."""
    update_rows((BillingRecord(pk=pk, state=state, dispatch=row) for pk in row.records), ["state", "dispatch"])


def _is_unsure(order: Order) -> bool:
    """Whether a step that makes the order's records ended without a definite answer."""
    made = [row for row in acts_of(order) if row.step == Step.CREATE_BILLING]
    return any(row.state not in {State.DONE, State.UNDONE} and not row.definite for row in made)


def finish_undo(order: Order, *, now: datetime.datetime, by: str) -> bool:
    """Gives a (locked) order its ending once nothing is left to undo but what staff gave up. True if it did.

    Its claim stays until that is settled too (contract 3.9, A way out of everything).
    """
    if not order.undo_since or _left(order).exists():
        return False
    ending = order.state == Order.State.COMPENSATING
    if ending:
        undone = order.dispatches.filter(state=State.DONE, undo=False, channel=Dispatch.Channel.BILLING, repeat=False)
        undone.current().exclude(step=Step.ASK_BILLING).update(state=State.UNDONE)
        if order.undo_to == Order.State.WITHDRAWN and order.kind == Order.Kind.TRIAL:
            _settle_failed(order)
        give_ending(order, order.undo_to, now=now, by=by)
    if not given_up_undoing(order).exists():
        _set_free(order, now, by)
    return ending


def _settle_failed(trial: Order) -> None:
    """Marks a withdrawn trial's failed steps as undone, since anything that they did has been undone.

    So they hold up nobody, even if staff let an activation of the trial proceed.
    """
    failed = trial.dispatches.filter(state=State.FAILED, undo=False, channel=Dispatch.Channel.BILLING, repeat=False)
    failed.current().update(state=State.UNDONE)


def given_up_undoing(order: Order) -> QuerySet[Dispatch]:
    """Deletions and undoing cancels that staff gave up, and whose records are still billed.

    One that the books or `accept` have settled is not among them.
    """
    return order.dispatches.current().filter(state=State.GIVEN_UP, undo=True, blocking=True)


def _left(order: Order) -> QuerySet[Dispatch]:
    """The undo steps and forward billing calls that are still open.

    Undo steps that wait behind a given-up one do not count. They go on when that one is settled.
    """
    rows = order.dispatches.current().filter(channel=Dispatch.Channel.BILLING)
    given_up = given_up_undoing(order).order_by("position").first()
    undoing = rows.filter(undo=True).exclude(state__in=[State.DONE, State.CLOSED, State.GIVEN_UP])
    if given_up:
        undoing = undoing.exclude(state=State.WAITING, position__gt=given_up.position)
    return undoing | rows.filter(state__in=[State.DUE, State.SENDING, State.RETRYING])


def _set_free(order: Order, now: datetime.datetime, by: str) -> None:
    """Frees the trial. It gets its former state, or has ended. The orders that waited for it are decided on.

    After the late undoing of any activation the trial has ended, since the customer has used the service for real.
    """
    late = order.undo_asked_at is not None and order.kind == Order.Kind.ACTIVATION
    if late:
        unmark_undo_asked(order)
    claim = TrialClaim.objects.filter(activation=order, released_at=None).first()
    if claim:
        release_claim(claim, order, ended_now=late, now=now, by=by)
    elif late:
        settle_followers(order.trial, now=now, by=by, held=WAITS_FOR_CLAIM)
    elif order.kind == Order.Kind.CHANGE and order.trial:
        _end_again(order.trial, now, by)


def _end_again(trial: Order, now: datetime.datetime, by: str) -> None:
    """Ends a (locked) trial again that a withdrawn change had let run on after its end, if it has no record any more.

    Then the change has made nothing, or nothing of it is left.
    """
    if trial.state != Order.State.TRIALING:
        return
    facts = read_trial(trial.number)
    there = any(record.state in BillingRecord.THERE for record in facts.records)
    if not there and facts.line_is_free and facts.claim is None:
        move_trial(trial, Order.State.ENDED, now=now, by=by)
