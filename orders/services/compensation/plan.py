"""Plans the steps that undo an order, as orders.plan does those of an order (contract 3.9, Compensation's order and
Unknown)."""

import datetime
from collections.abc import Iterable

from orders.db.compiled_sql import Prepared
from orders.db.expressions import OneOf
from orders.models import BillingRecord, Dispatch, Order
from orders.services.order_state import end_of, latest_shape
from orders.services.outbox.effects import acts_of, records_of
from orders.services.outbox.enqueue import build_step
from orders.services.planning import ended, is_closed
from orders.steps import Phase

State, Step, Kind, Record = Dispatch.State, Dispatch.Step, Order.Kind, BillingRecord.State
LOOK_AGAIN = datetime.timedelta(minutes=10)  # contract 3.9, Unknown
STILL_TO_COME = [State.WAITING, State.DUE, State.SENDING, State.RETRYING]
STATES = Prepared(lambda: BillingRecord.objects.filter(OneOf("pk", "records")).order_by().values_list("pk", "state"))
CANCEL, DELETE = "cancel", "delete"  # how a late undoing ends what the customer owes (contract 3.9, Late undoing)


def plan_undo(order: Order, now: datetime.datetime, *, how: str = "") -> list[Dispatch]:
    """The undo steps in order, behind the plan, not enqueued yet. Empty if nothing may have reached the big-data side.

    The order's steps that were never begun must be closed already. `how` is `cancel` or `delete` for a late undoing,
    after which the trial is not restored.
    """
    rows = _undoing(order, now, how)
    for position, row in enumerate(rows, start=Phase.UNDO):
        row.position, row.undo = position, True
    return rows


def _undoing(order: Order, now: datetime.datetime, how: str) -> list[Dispatch]:
    if order.kind == Kind.TRIAL:
        return _cancellation(order, _live_records(order), now)
    acts = acts_of(order)
    if order.kind == Kind.CHANGE:
        made = _there(records_of(acts, Step.CREATE_TRIAL), order.trial)
        return [*_cancellation(order, made, now), *_restoration(order, acts, now)]
    made = _own_records(order, acts)
    if how == CANCEL:
        return [build_step(order, Step.CANCEL_BILLING, now=now, records=made), *_trials_end(order, now)]
    unsure = any(row.state != State.DONE and not row.definite for row in acts if row.step == Step.CREATE_BILLING)
    return [*_deletion(order, made, unsure, now), *(_trials_end(order, now) if how else _restoration(order, acts, now))]


def _trials_end(order: Order, now: datetime.datetime) -> list[Dispatch]:
    """After a late undoing the trial of a first activation has ended. Cancels what the plan's own cancel left live."""
    if not order.held_claims.filter(released_at=None).exists():
        return []
    return _cancellation(order, _live_records(order.trial), now)


def _own_records(order: Order, acts: Iterable[Dispatch]) -> list[int]:
    """The commercial records that the order's plan made, or that are there for any other reason."""
    there = order.billing_records.filter(state__in=BillingRecord.THERE).order_by("pk").values_list("pk", flat=True)
    return list(dict.fromkeys([*records_of(acts, Step.CREATE_BILLING), *there]))


def _there(records: list[int], trial: Order | None) -> list[int]:
    """Those of the records that are at the big-data side, may be, or will be when the trial's line has finished.

    The undoing of a later change may be about to restore them.
    """
    if not records or trial is None:
        return []
    coming = _coming(trial)
    states = dict(STATES(records=records))
    return [pk for pk in records if pk in coming or states[pk] in BillingRecord.THERE]


def _live_records(trial: Order) -> list[int]:
    """The trial's records that are live, may be, or will be when its line has finished."""
    coming = _coming(trial)
    made = trial.billing_records.order_by("pk").values_list("pk", "state")
    return [pk for pk, state in made if state in BillingRecord.THERE or pk in coming]


def _coming(trial: Order) -> set[int]:
    """The records that unfinished steps in the trial's line are about."""
    steps = Dispatch.objects.current().filter(lane=trial.pk, state__in=STILL_TO_COME)
    return {pk for records in steps.values_list("records", flat=True) for pk in records}


def _deletion(order: Order, records: list[int], unsure: bool, now: datetime.datetime) -> list[Dispatch]:
    """Deletes the records. If it is unsure whether they were made, looks for them at once and after ten minutes."""
    if not records:
        return []
    rows = [build_step(order, Step.DELETE_BILLING, now=now, records=records)]
    if unsure:
        later = {"gate": Dispatch.Gate.START, "not_before": now + LOOK_AGAIN, "blocking": False}
        rows += [
            build_step(order, Step.VERIFY_DELETED, now=now, records=records),
            build_step(order, Step.VERIFY_DELETED, now=now, records=records, about={"last": True}, **later),
        ]
    return rows


def _restoration(order: Order, acts: list[Dispatch], now: datetime.datetime) -> list[Dispatch]:
    """Makes the trial's records again as they were, unless the trial has ended meanwhile or was closed before."""
    records = records_of(acts, Step.CANCEL_TRIAL, Step.EXTEND_TRIAL)
    if not records or is_closed(order.trial) or _was_closed(order):
        return []
    if ended(shape := latest_shape(order.trial), now):
        return []
    ends: dict[str, list[int]] = {}
    for row in acts:
        for end, ids in row.about.get("ends", {}).items():
            ends.setdefault(end, []).extend(ids)
        if (lost := row.about.get("lost")) and (end := end_of(shape)):  # a change that moved it found them cancelled
            ends.setdefault(end.isoformat(), []).extend(lost)
    about = {"ends": ends} if ends else {}
    return [build_step(order, Step.RESTORE_TRIAL, now=now, records=records, about=about)]


def _was_closed(order: Order) -> bool:
    """Whether the trial was withdrawn before this activation took it, because staff let it proceed."""
    claim = order.held_claims.filter(released_at=None).first()
    return claim is not None and claim.trial_was == Order.State.WITHDRAWN


def _cancellation(order: Order, records: list[int], now: datetime.datetime) -> list[Dispatch]:
    return [build_step(order, Step.CANCEL_TRIAL, now=now, records=records)] if records else []
