"""What undoes an order, as dispatches: the mirror of orders.plan (contract 3.9, Compensation's order and Unknown)."""

import datetime
from collections.abc import Iterable

from orders.models import BillingRecord, Dispatch, Order
from orders.services.planning import ended, latest_shape

State, Step, Kind, Record = Dispatch.State, Dispatch.Step, Order.Kind, BillingRecord.State
BEHIND_THE_PLAN = 500
LOOK_AGAIN = datetime.timedelta(minutes=10)  # contract 3.9, Unknown
STILL_TO_COME = [State.WAITING, State.DUE, State.SENDING, State.RETRYING]


def plan_undo(order: Order, now: datetime.datetime) -> list[Dispatch]:
    """Rows to be saved, in order; none if nothing may have reached the big-data side.

    The order's steps that were never begun are closed already.
    """
    if order.kind == Kind.TRIAL:
        return _number(order, now, _cancellation(_live_records(order)))
    rows = order.dispatches.filter(channel=Dispatch.Channel.BILLING, undo=False, superseded=False).defer("payload")
    sent = [row for row in rows.order_by("position", "pk") if may_have_acted(row)]
    made = [pk for row in sent if row.step != Step.CANCEL_TRIAL for pk in row.records]
    cancelled = [pk for row in sent if row.step == Step.CANCEL_TRIAL for pk in row.records]
    if order.kind == Kind.CHANGE:
        return _number(order, now, [*_cancellation(made), *_restoration(order, cancelled, now)])
    unsure = any(row.state != State.DONE and not row.definite for row in sent if row.step != Step.CANCEL_TRIAL)
    return _number(order, now, [*_deletion(made, unsure, now), *_restoration(order, cancelled, now)])


def may_have_acted(row: Dispatch) -> bool:
    """Whether the partner may have carried the step out: begun, and not refused at its only attempt.

    A refusal of a repeat ("it exists already") says nothing about an earlier attempt whose answer was lost: to delete
    what is not there harms nobody, to leave a record bills somebody for nothing.
    """
    refused = row.state == State.FAILED and row.definite and row.attempts == 1
    return row.attempts > 0 and not refused and row.state != State.CLOSED


def _live_records(trial: Order) -> list[int]:
    """The trial's records that are live, may be, or will be when what is under way in its line has ended."""
    steps = Dispatch.objects.filter(lane=trial.pk, superseded=False, state__in=STILL_TO_COME)
    coming = {pk for records in steps.values_list("records", flat=True) for pk in records}
    made = trial.billing_records.filter(create_time__isnull=False).order_by("pk").values_list("pk", "state")
    return [pk for pk, state in made if state in {Record.LIVE, Record.UNKNOWN} or pk in coming]


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
    return [Dispatch(step=Step.CANCEL_TRIAL, records=records, lane=0)] if records else []


def _number(order: Order, now: datetime.datetime, rows: Iterable[Dispatch]) -> list[Dispatch]:
    """Behind the plan; those that bear a lane stand in the line of the order's trial."""
    rows = list(rows)
    for position, row in enumerate(rows, start=BEHIND_THE_PLAN):
        row.order, row.position, row.channel, row.undo = order, position, Dispatch.Channel.BILLING, True
        row.created_at, row.size = now, len(row.records)
        row.lane = None if row.lane is None else order.trial_id or order.pk
    return rows
