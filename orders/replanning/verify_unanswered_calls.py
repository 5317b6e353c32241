"""Verifies records after steps if an unanswered call may still act on them (contract 3.9, Unknown).

A call may act for ten minutes, even if a repeat of it was answered. After each step on the same records, the big-data
side is queried at once, and again when the call can no longer act. Each verification resends the records that differ
from their target state. A deletion has its own verifications (orders/undoing/undo_steps.py).
"""

import datetime
from collections.abc import Collection, Iterable

from orders.books.books import HeldRecord
from orders.books.expected_records import note_not_meant, of_activation
from orders.books.fixes import BILLED, send_again
from orders.books.held_records import TAKEN, by_identity, identity, take_record
from orders.db.compiled_sql import update_rows
from orders.models import BillingRecord, Dispatch, Order, asks_about, question_about
from orders.outbox.billing_effects import LateCall, late_calls, may_act_until
from orders.outbox.enqueue import build_questions, build_step, enqueue
from orders.outbox.open_moves import move_of
from orders.outbox.record_selection import LEFT, select_records
from orders.outbox.release_steps import NOT_FINISHED
from orders.rules.steps import FIXES, Step
from orders.undoing.undo_steps import build_repair_steps


def schedule_verification(rows: Iterable[Dispatch], calls: Collection[LateCall], *, now: datetime.datetime) -> None:
    """Plans the verifications after done steps that changed records. The orders and trials of the steps must be locked.

    `calls`: the calls that may still act on the records of these orders and lines (`late_calls`).
    """
    for row in rows if calls else ():
        if row.from_look or _goes_on(row):
            continue
        if until := may_act_until(call for call in calls if call.is_about(row)):
            _ask(row, until, now)


def look_behind(order: Order, *, now: datetime.datetime) -> None:
    """Schedules a verification of a (locked) order's records after staff took the partner's values for these records.
    Taking the values makes no call, so no step schedules the verification."""
    own = order.kind == Order.Kind.ACTIVATION
    lane = None if own else order.trial_id or order.pk
    calls = late_calls(orders=[order.pk] if own else [], serial_trial_ids=[] if own else [lane], now=now)
    if until := may_act_until(calls):
        row = Dispatch.objects.defer("payload").get(pk=calls[0].pk)
        row.order, row.undo = order, order.undo_since is not None
        _ask(row, until, now)


def _ask(row: Dispatch, until: datetime.datetime, now: datetime.datetime) -> None:
    owner = row.order if row.lane is None else row.order.trial or row.order
    first, last = build_questions(row, question_about("look", row.pk, job=owner.number), again=until, now=now)
    first.blocking, last.blocking = row.undo, row.undo and row.lane is not None
    enqueue([first, last])


def _goes_on(row: Dispatch) -> bool:
    """Returns True if a later step of the same plan or undoing is unfinished. The verification follows the last of
    these steps."""
    if row.lane is None or row.repeat or row.step in FIXES:
        return False
    later = Dispatch.objects.current().filter(order=row.order_id, lane=row.lane, undo=row.undo, state__in=NOT_FINISHED)
    later = later.filter(repeat=False).exclude(step__in=[*FIXES, Step.ASK_BILLING])
    return later.exclude(pk=row.pk).exists()


def answer_look(row: Dispatch, held: list[HeldRecord], *, now: datetime.datetime, by: str) -> None:
    """Processes the answer to a verification. The order and trial must be locked. Resends records that differ from
    their target state."""
    order, owner = row.order, row.order if row.lane is None else row.order.trial or row.order
    looks = Dispatch.objects.current().filter(asks_about("look", row.asked_step), order=order, step=Step.ASK_BILLING)
    looks.filter(state=Dispatch.State.FAILED).update(superseded=True)
    if row.superseded or row.lane is None and not order.undo_since and move_of(order):
        return  # the order was planned again meanwhile, or a move of its start has a query of its own
    there = by_identity(held)
    records = [record for record in owner.billing_records.all() if record.state != BillingRecord.State.TO_SEND]
    for record in records:
        take_record(record, there.get(identity(record, owner)))
    update_rows(records, TAKEN)
    if order.undo_since and not row.undo:
        return  # the undoing has verifications of its own
    if row.lane is None:
        _put_own_right(row, records, now)
        return
    steps = build_repair_steps(order, now, from_look=True)
    for step in steps:
        step.position, step.undo, step.blocking = row.position, row.undo, row.blocking
        step.place = row.place or row.pk
    wrong = [step for step in steps if select_records(step, now=now)[1]]
    if wrong:
        enqueue(wrong, random_keys=True)
    elif order.trial:
        note_not_meant(owner, now=now, by=by, opens=False)


def _put_own_right(row: Dispatch, records: list[BillingRecord], now: datetime.datetime) -> None:
    """Resends those of an activation's own records that are wrong. They become live while the order is in effect, and
    are cancelled or deleted otherwise."""
    order = row.order
    if not order.undo_since:
        wrong = of_activation(order, order.domains.values_list("key", "name"), records, now=now)
        if order.state in BILLED and (again := [one.record for one in wrong if one.record]):
            send_again(order, again, now=now, from_look=True)
        return
    given_up = (
        order.dispatches.current().filter(state=Dispatch.State.GIVEN_UP, undo=True).values_list("records", flat=True)
    )
    left = {pk for ids in given_up for pk in ids}  # records that staff gave up or accepted are not sent (3.9, 19)
    live = [
        record.pk
        for record in records
        if record.state == BillingRecord.State.LIVE and LEFT not in record.accepted and record.pk not in left
    ]
    if live:
        cancelled = order.dispatches.current().filter(step=Step.CANCEL_BILLING, undo=True).exists()
        step = Step.CANCEL_BILLING if cancelled else Step.VERIFY_DELETED
        again = {"from_look": True, "is_last": True, "position": row.position, "undo": True}
        enqueue([build_step(order, step, now=now, records=live, **again)], random_keys=True)
