"""Compensation (话单异常删除兜底): stops an order and undoes what it sent (contract 3.9, Compensation's order; 3.10).

The undo mark comes first: from then on no forward step is claimed. Steps never begun are closed. What was sent is
undone by dispatches like all others, behind the plan's steps: delete the commercial records, make sure of those whose
fate was unknown, restore the trial's. When all are done the order is what `undo_to` says, and its claim is free.
"""

import datetime

from django_q.models import Schedule

from orders.models import BillingRecord, Dispatch, Order
from orders.services.events import add_event
from orders.services.mails import AFTER_THE_PLAN
from orders.services.planning import ended, latest_shape
from orders.services.schedules import schedule_name
from orders.services.stepping import release
from orders.services.wakeup import wake

State, Step, Channel, Kind = Dispatch.State, Dispatch.Step, Dispatch.Channel, Order.Kind
BEHIND_THE_PLAN = 500
LOOK_AGAIN = datetime.timedelta(minutes=10)  # contract 3.9, Unknown
NOT_AT_BIGDATA = [BillingRecord.State.CANCELLED, BillingRecord.State.DELETED]


def begin_undo(order: Order, *, ending: str, why: str, by: str, now: datetime.datetime) -> bool:
    """Sets the undo mark on an order (locked, its trial too) and plans what undoes it; True if there is any.

    `ending`: the state that it has afterwards. A second call only changes the ending.
    """
    if order.undo_since:
        return _change_ending(order, ending, now=now, by=by)
    old = order.state
    order.undo_since, order.undo_to, order.held_because = now, ending, Order.Held.NOT
    order.state = Order.State.COMPENSATING
    order.save(update_fields=["undo_since", "undo_to", "held_because", "state"])
    closed = _close_never_begun(order)
    if order.start_at:
        Schedule.objects.filter(name=schedule_name(order)).delete()
    steps = _undo_steps(order, now)
    add_event(order, "undo_mark", by=by, now=now, why=why, closed=closed, steps=[row.step for row in steps])
    add_event(order, "state", by=by, now=now, old=old, new=order.state)
    Dispatch.objects.bulk_create(steps)
    release(now=now, order_ids=[order.pk], lanes=[order.trial_id or order.pk])
    wake()
    return bool(steps)


def _change_ending(order: Order, ending: str, *, now: datetime.datetime, by: str) -> bool:
    """An order that is being undone, or was, gets another ending: a withdrawal after a failure, for instance."""
    order.undo_to = ending
    busy = order.state == Order.State.COMPENSATING
    if not busy and order.state != ending:
        add_event(order, "state", by=by, now=now, old=order.state, new=ending)
        order.state = ending
    order.save(update_fields=["undo_to", "state"])
    return busy


def _close_never_begun(order: Order) -> int:
    """Closes what was not attempted, and what need not be made sure of: only billing's outcome must be known."""
    rows = Dispatch.objects.filter(order=order, undo=False, position__lt=AFTER_THE_PLAN)
    waiting = rows.filter(state__in=[State.WAITING, State.DUE], attempts=0)
    retrying = rows.filter(state__in=[State.DUE, State.RETRYING]).exclude(channel=Channel.BILLING)
    return waiting.update(state=State.CLOSED, next_try_at=None) + retrying.update(state=State.CLOSED, next_try_at=None)


def _undo_steps(order: Order, now: datetime.datetime) -> list[Dispatch]:
    sent = [row for row in order.dispatches.filter(channel=Channel.BILLING, superseded=False) if _may_have_acted(row)]
    made = [pk for row in sent if row.step != Step.CANCEL_TRIAL for pk in row.records]
    cancelled = [pk for row in sent if row.step == Step.CANCEL_TRIAL for pk in row.records]
    if order.kind == Kind.ACTIVATION:
        unsure = any(row.state != State.DONE for row in sent if row.step == Step.CREATE_BILLING)
        return _number(order, now, [*_deletion(made, unsure, now), *_restoration(order, cancelled, now)])
    if order.kind == Kind.TRIAL:
        made = list(
            order.billing_records.filter(create_time__isnull=False)
            .exclude(state__in=NOT_AT_BIGDATA)
            .values_list("pk", flat=True)
        )
    return _number(order, now, [*_cancellation(made), *_restoration(order, cancelled, now)])


def _may_have_acted(row: Dispatch) -> bool:
    """Whether the partner may have carried the step out: begun, and not refused for good."""
    return row.attempts > 0 and not (row.state == State.FAILED and row.definite) and row.state != State.CLOSED


def _deletion(records: list[int], unsure: bool, now: datetime.datetime) -> list[Dispatch]:
    """Deletes; where a record's fate was unknown, looks at once and after ten minutes whether it is there after all."""
    if not records:
        return []
    rows = [Dispatch(step=Step.DELETE_BILLING, records=records)]
    if unsure:
        later = {"gate": Dispatch.Gate.START, "not_before": now + LOOK_AGAIN}
        rows += [
            Dispatch(step=Step.VERIFY_DELETED, records=records),
            Dispatch(step=Step.VERIFY_DELETED, records=records, blocking=False, about={"last": True}, **later),
        ]
    return rows


def _restoration(order: Order, records: list[int], now: datetime.datetime) -> list[Dispatch]:
    """Makes the trial's records again, unless the trial has ended meanwhile."""
    if not records or ended(latest_shape(order.trial), now):
        return []
    return [Dispatch(step=Step.RESTORE_TRIAL, records=records, lane=order.trial_id)]


def _cancellation(records: list[int]) -> list[Dispatch]:
    return [Dispatch(step=Step.CANCEL_TRIAL, records=records, lane=-1)] if records else []


def _number(order: Order, now: datetime.datetime, rows: list[Dispatch]) -> list[Dispatch]:
    for position, row in enumerate(rows, start=BEHIND_THE_PLAN):
        row.order, row.position, row.channel, row.undo, row.created_at = order, position, Channel.BILLING, True, now
        row.lane = (order.trial_id or order.pk) if row.lane else None
    return rows
