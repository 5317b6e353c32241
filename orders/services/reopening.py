"""Sends a compensated order anew (contract 3.9, First claim and Resend)."""

import datetime
from collections.abc import Iterable, Mapping

from orders.models import BillingRecord, Dispatch, Order, TrialClaim
from orders.models.dispatch import FIXES
from orders.services.events import add_event
from orders.services.incidents import COMPENSATED, close_troubles
from orders.services.mails import AFTER_THE_PLAN
from orders.services.planning import CLOSED_TRIAL
from orders.services.schedules import find_schedule, make_schedule

State = Dispatch.State


def claims_against(orders: Iterable[Order]) -> dict[int, TrialClaim]:
    """By trial: the claims that stand on the trials of those who were first there. At most one query."""
    trials = {order.trial_id for order in orders if order.first}
    rows = TrialClaim.objects.filter(trial__in=trials, released_at=None).select_related("activation") if trials else ()
    return {claim.trial_id: claim for claim in rows}


def why_not_reopen(order: Order, claims: Mapping[int, TrialClaim]) -> str:
    """Why a compensated order can't be sent anew; empty if it can. `claims`: of `claims_against`."""
    if order.state != Order.State.FAILED:
        return f"not allowed, because the order is {order.state}"
    if order.kind != Order.Kind.ACTIVATION:
        return "not allowed, because only activations are sent anew"
    if order.trial.state in CLOSED_TRIAL or order.trial.undo_since:
        return f"not allowed, because its trial is {order.trial.state}"
    claim = claims.get(order.trial_id) if order.first else None
    return f"not allowed, because {claim.activation.number} is first" if claim else ""


def reopen(order: Order, *, now: datetime.datetime, by: str) -> None:
    """Takes the claim again and lays the plan's undone steps out anew, with new keys and a new T.

    The order and its trial are locked, and `why_not_reopen` was empty. Domains, service type and "now or later" stay as
    they were planned; what BPM accepted is not sent a second time.
    """
    if order.first:
        TrialClaim.objects.create(trial=order.trial, activation=order, taken_at=now)
    old = list(order.dispatches.filter(superseded=False, position__lt=AFTER_THE_PLAN).order_by("position", "pk"))
    again = [row for row in old if row.undo or row.state in {State.FAILED, State.CLOSED, State.UNDONE}]
    Dispatch.objects.filter(pk__in=[row.pk for row in again]).update(superseded=True)
    BillingRecord.objects.filter(order=order).update(
        state=BillingRecord.State.TO_SEND, create_time=None, cancel_time=None, cancelled_at=None
    )
    Dispatch.objects.bulk_create(_anew(row, now) for row in again if not row.undo and row.step not in FIXES)
    old_state, order.state = order.state, Order.State.IN_PROGRESS
    order.undo_since, order.undo_to = None, ""
    order.save(update_fields=["state", "undo_since", "undo_to"])
    if order.start_at and order.start_at > now and not find_schedule(order):
        make_schedule(order)
    add_event(order, "state", by=by, now=now, old=old_state, new=order.state)
    close_troubles(order, step="", code=COMPENSATED, now=now, by=by)


def _anew(row: Dispatch, now: datetime.datetime) -> Dispatch:
    return Dispatch(
        order_id=row.order_id,
        step=row.step,
        channel=row.channel,
        position=row.position,
        blocking=row.blocking,
        gate=row.gate,
        not_before=row.not_before,
        lane=row.lane,
        records=row.records,
        size=row.size,
        created_at=now,
    )
