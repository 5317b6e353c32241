"""Plans the undo steps of an order, as orders.intake.plan_or_hold plans its forward steps (contract 3.9, Compensation's
order and Unknown).

A step on a trial's records gets its records at its first attempt (contract 3.9, 19; orders.outbox.record_selection).
"""

import datetime
from collections.abc import Collection, Iterable

from orders.models import BillingRecord, Dispatch, Order
from orders.outbox.billing_effects import MAY_ACT, acts_of, late_calls, may_act_until
from orders.outbox.enqueue import build_step
from orders.rules.steps import DELETIONS, Phase, Step

CANCEL, DELETE = "cancel", "delete"  # the two ways of a late undoing (contract 3.9, Late undoing)


def plan_undo(order: Order, now: datetime.datetime, *, how: str = "", but: Collection[int] = ()) -> list[Dispatch]:
    """Returns the undo steps in sequence, placed after the plan. The steps are not enqueued. The result is empty if no
    call may have reached the big-data side.

    Steps that were never started must be closed already. For a late undoing, `how` is `cancel` or `delete`, and the
    trial is not restored. `but`: records that are left unchanged.
    """
    rows = _undoing(order, now, how, list(but))
    for position, row in enumerate(rows, start=Phase.UNDO):
        row.position, row.undo = position, True
    return rows


def _undoing(order: Order, now: datetime.datetime, how: str, but: list[int]) -> list[Dispatch]:
    acts = acts_of(order)
    if order.kind == Order.Kind.TRIAL:
        made = acts or order.billing_records.filter(state__in=BillingRecord.THERE).exists()
        return [_of_trial(order, Step.CANCEL_TRIAL, now)] if made else []
    if order.kind == Order.Kind.CHANGE:
        return build_restore_steps(order, now, left_out=list(but) or None) if acts else []
    made = _own_records(order, acts)
    if how == CANCEL:
        return [build_step(order, Step.CANCEL_BILLING, now=now, records=made), *_trials_end(order, now)]
    cancelled = any(row.step == Step.CANCEL_TRIAL for row in acts)
    restore = [_of_trial(order, Step.RESTORE_TRIAL, now)] if cancelled else []
    return [*_deletion(order, made, acts, now), *(_trials_end(order, now) if how else restore)]


def build_restore_steps(order: Order, now: datetime.datetime, **noted) -> list[Dispatch]:
    """Returns the steps that make the trial's records match its shape. Unexpected records are cancelled, then missing
    records are restored. The steps are not enqueued. A step without records to send is done."""
    return [_of_trial(order, step, now, to_shape=True, **noted) for step in (Step.CANCEL_TRIAL, Step.RESTORE_TRIAL)]


def build_repair_steps(order: Order, now: datetime.datetime, **noted) -> list[Dispatch]:
    """Returns the steps that a verification of the trial's records may need. The steps are not enqueued. During a late
    undoing no record is restored, since the trial ends when the undoing has finished."""
    late = order.undo_since and order.undo_asked_at and order.kind == Order.Kind.ACTIVATION
    if late and order.held_claims.filter(released_at=None).exists():
        return [_of_trial(order, Step.CANCEL_TRIAL, now, **noted)]
    return build_restore_steps(order, now, **noted)


def _of_trial(order: Order, step: str, now: datetime.datetime, **noted) -> Dispatch:
    """Returns a step on the records of the order's trial. Its size is the number of the trial's records."""
    size = (order.trial or order).billing_records.count()
    return build_step(order, step, now=now, size=size, **noted)


def _trials_end(order: Order, now: datetime.datetime) -> list[Dispatch]:
    """Returns the cancel of a first activation's trial, since a late undoing ends the trial. This step cancels the
    records that the plan's own cancel left, and records that an unfinished call creates."""
    if not order.held_claims.filter(released_at=None).exists():
        return []
    there = order.trial.billing_records.filter(state__in=BillingRecord.THERE)
    making = Dispatch.objects.current().open().filter(lane=order.trial_id, undo=False)
    return [_of_trial(order, Step.CANCEL_TRIAL, now)] if there.exists() or making.exists() else []


def _own_records(order: Order, acts: Iterable[Dispatch]) -> list[int]:
    """Returns the order's commercial records: those that its plan created, and all others that exist."""
    there = order.billing_records.filter(state__in=BillingRecord.THERE).order_by("pk").values_list("pk", flat=True)
    made = [pk for row in acts if row.step == Step.CREATE_BILLING for pk in row.records]
    return list(dict.fromkeys([*made, *there]))


def _deletion(order: Order, records: list[int], acts: Iterable[Dispatch], now: datetime.datetime) -> list[Dispatch]:
    """Returns the deletion of the records. If a call may still create the records, the deletion is verified at once,
    and again when no call can act any more."""
    if not records:
        return []
    rows = [build_step(order, Step.DELETE_BILLING, now=now, records=records)]
    if any(may_be_made(order, acts, now)):
        later = {"gate": Dispatch.Gate.START, "not_before": now + MAY_ACT, "blocking": False}
        rows += [
            build_step(order, Step.VERIFY_DELETED, now=now, records=records),
            build_step(order, Step.VERIFY_DELETED, now=now, records=records, is_last=True, **later),
        ]
    return rows


def may_be_made(
    order: Order, acts: Iterable[Dispatch], now: datetime.datetime
) -> tuple[bool, datetime.datetime | None]:
    """Returns a flag and a time. The flag is True if one of the order's `acts` on its own records has no definite
    answer. Until the time, an unanswered call may still create records after a deletion. The time is None if there is
    no such call."""
    makers = [row for row in acts if row.lane is None and row.step not in DELETIONS]
    unsure = any(row.state not in {Dispatch.State.DONE, Dispatch.State.UNDONE} and not row.definite for row in makers)
    calls = late_calls(orders=[order.pk], now=now)
    return unsure, may_act_until(call for call in calls if call.step not in DELETIONS)
