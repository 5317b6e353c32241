"""Plans the orders in a trial's line again when an order is undone (contract 3.9, 2 and 19; 3.10).

Undo steps are placed after all steps that have started. Orders that have sent nothing are planned again after the undo
steps.
"""

import datetime

from orders.history.order_locks_and_events import add_event, refresh_states
from orders.incidents.incident_codes import DEPENDENCY_GONE
from orders.incidents.incidents import open_incident
from orders.models import Dispatch, Order, TrialClaim
from orders.outbox.billing_effects import takes_back
from orders.outbox.enqueue import build_replacement, enqueue
from orders.outbox.release_steps import NOT_FINISHED, release
from orders.replanning.reopening import plan_anew
from orders.rules.local_time import SHANGHAI
from orders.rules.steps import Step
from orders.rules.trial_shape import Shape
from orders.trials.trial_state_reads import AT_PARTNERS, NOTHING_SENT, begun_shape, not_begun
from orders.trials.trial_state_writes import reshape
from orders.undoing.undo_steps import build_restore_steps

ONLY_LOOK = {Step.ASK_BILLING, Step.VERIFY_DELETED}


def lock_line(trial: Order) -> None:
    """Locks the unfinished steps of a (locked) trial's line. Waits for claims in progress: a step that is claimed
    meanwhile counts as started."""
    rows = Dispatch.objects.current().filter(lane=trial.pk, state__in=NOT_FINISHED).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk", flat=True))


def plan_behind(trial: Order, *, moved: bool, now: datetime.datetime, by: str) -> None:
    """Plans those orders of a trial again that have sent nothing, in the sequence of the trial's line. The trial and
    its line must be locked.

    `moved`: undo or restore steps were added to the line. Then the waiting cancel of a start day is also placed after
    these steps, which must not wait for that day.
    """
    ids = not_begun(trial)
    rows = Order.objects.filter(pk__in=ids).select_for_update(no_key=True)
    orders = sorted(rows.order_by("pk"), key=lambda order: ids.index(order.pk))
    changes = [order.pk for order in orders if order.kind == Order.Kind.CHANGE]
    Order.objects.filter(pk__in=changes).update(in_effect=False)
    if changes:
        reshape(trial, now=now, by=by)
    for order in orders:
        order.trial, order.in_effect, old_state = trial, False, order.state
        add_event(order, "planned_again", by=by, now=now, plan=order.plans + 1)
        plan_anew(order, now=now, by=by)
        if order.state != old_state:
            add_event(order, "state", by=by, now=now, old=old_state, new=order.state)
        refresh_states([order], now=now, by=by)
    if moved:
        _move_start_days(trial, now)


def _move_start_days(trial: Order, now: datetime.datetime) -> None:
    """Moves the waiting cancels of start days to the end of a trial's line."""
    rows = Dispatch.objects.current().filter(NOTHING_SENT, lane=trial.pk, undo=False, gate=Dispatch.Gate.START)
    for row in list(rows.exclude(step=Step.ASK_BILLING).select_related("order").order_by("pk")):
        Dispatch.objects.filter(pk=row.pk).update(superseded=True, state=Dispatch.State.CLOSED, next_try_at=None)
        enqueue([build_replacement(row, now=now, behind=True)])
        release(now=now, order_ids=[row.order_id])


def is_rebuilt_on_resend(row: Dispatch) -> bool:
    """Returns True if a resend plans the step again instead of repeating it, since the step undoes something."""
    return takes_back(row) and row.channel == Dispatch.Channel.BILLING and row.step not in ONLY_LOOK


def rebuild_step(row: Dispatch, *, now: datetime.datetime, by: str) -> None:
    """Replaces a failed or given-up undo or restore step by new steps for the records that still differ.

    The step's order and trial must be locked. A failed step keeps its place in the trial's line. After a given-up step,
    other steps have continued, so the new steps are placed after all steps that have started.
    """
    order, behind = row.order, row.state == Dispatch.State.GIVEN_UP and row.lane is not None
    if behind:
        lock_line(order.trial or order)
    Dispatch.objects.filter(pk=row.pk).update(superseded=True)
    rows = [build_replacement(row, now=now, behind=behind)]
    if row.step == Step.RESTORE_TRIAL:
        rows = build_restore_steps(order, now, puts_back=row.puts_back)
        for place, step in enumerate(rows):
            step.position, step.undo, step.blocking = row.position + place, row.undo, True
            step.place = None if behind else row.place or row.pk
    rows[0].blocking = True
    enqueue(rows, random_keys=bool(row.puts_back))
    if behind:
        plan_behind(order.trial or order, moved=True, now=now, by=by)


def cancel_after_all(row: Dispatch, *, now: datetime.datetime) -> None:
    """Replaces a given-up cancel of a start day. The new step is placed after all steps that have started. Everything
    must be locked. The order stays active."""
    lock_line(row.order.trial)
    Dispatch.objects.filter(pk=row.pk).update(superseded=True)
    again = build_replacement(row, now=now, behind=True)
    again.blocking = False
    enqueue([again])


def open_dependency_incident(change: Order, *, now: datetime.datetime, by: str) -> None:
    """Opens an incident if an activation has started with a change (or trial) that was then undone, fully or in part.
    The incident lists both orders. Does nothing for an activation that has sent nothing, since it was planned again.
    The trial must be locked."""
    first = begun_with(change.trial or change)
    if first is None:
        return
    params = {"code": "rested_upon", "number": change.number, "activation": first.number}
    detail = f"{first.number} was begun with {change.number}, which is not in effect any more"
    for order in (change, first):
        open_incident(order, partner="order", step="", code=DEPENDENCY_GONE, detail=detail, now=now, params=params)


def begun_with(trial: Order, *, gone: Order | None = None) -> Order | None:
    """Returns the activation that has started on a trial, if it would differ by the trial's present shape. Otherwise
    returns None. `gone`: a change to treat as undone."""
    claim = TrialClaim.objects.filter(trial=trial, released_at=None).select_related("activation").first()
    if claim is None or claim.activation.undo_since:
        return None
    first = claim.activation
    sent = first.dispatches.current().filter(plan=first.plans, undo=False, channel__in=AT_PARTNERS, attempts__gt=0)
    if not sent.exists():
        return None
    differs = first.planned_at is not None and _would_differ(first, begun_shape(trial, gone=gone))
    return first if differs else None


def _would_differ(first: Order, shape: Shape) -> bool:
    """Returns True if with this shape the activation would have other domains, or the trial would have ended before
    it."""
    over = shape.is_over(first.planned_at.astimezone(SHANGHAI).date()) and not first.proceeded
    own = "domains" in first.given
    return over or (not own and set(first.domains.values_list("key", flat=True)) != set(shape.domains))
