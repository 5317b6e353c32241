"""The line of a trial: what is planned anew when something is taken back (contract 3.9, 2 and 19; 3.10).

What is taken back has its place behind all that has begun. What has sent nothing is planned anew behind it.
"""

import datetime

from orders.history.order_writes import add_event, refresh_states
from orders.incidents.incident_codes import DEPENDENCY_GONE
from orders.incidents.incidents import open_incident
from orders.models import Dispatch, Order, TrialClaim
from orders.outbox.billing_effects import takes_back
from orders.outbox.due_steps import NOT_FINISHED, release
from orders.outbox.enqueue import build_replacement, enqueue
from orders.replanning.reopening import plan_anew
from orders.rules.local_time import SHANGHAI
from orders.rules.steps import Step
from orders.rules.trial_shape import Shape
from orders.trials.shape_reads import AT_PARTNERS, NOTHING_SENT, begun_shape, not_begun
from orders.trials.shape_writes import reshape
from orders.undoing.plan import build_restore_steps

ONLY_LOOK = {Step.ASK_BILLING, Step.VERIFY_DELETED}


def lock_line(trial: Order) -> None:
    """Locks the unfinished steps of a (locked) trial's line. One that is being claimed is waited for, and has begun."""
    rows = Dispatch.objects.current().filter(lane=trial.pk, state__in=NOT_FINISHED).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk", flat=True))


def plan_behind(trial: Order, *, moved: bool, now: datetime.datetime, by: str) -> None:
    """Plans the orders of a (locked) trial anew that have sent nothing, in the order of its line, which is locked too.

    `moved`: something that takes back was put into the line. Then a start day's cancel that waits goes behind it as
    well, since what takes back must not wait for that day.
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
    """Puts the waiting cancels of start days behind all that stands in a trial's line."""
    rows = Dispatch.objects.current().filter(NOTHING_SENT, lane=trial.pk, undo=False, gate=Dispatch.Gate.START)
    for row in list(rows.exclude(step=Step.ASK_BILLING).select_related("order").order_by("pk")):
        Dispatch.objects.filter(pk=row.pk).update(superseded=True, state=Dispatch.State.CLOSED, next_try_at=None)
        enqueue([build_replacement(row, now=now, behind=True)])
        release(now=now, order_ids=[row.order_id])


def is_rebuilt_on_resend(row: Dispatch) -> bool:
    """Returns True if a resend works a step out anew instead of repeating it, since it takes something back."""
    return takes_back(row) and row.channel == Dispatch.Channel.BILLING and row.step not in ONLY_LOOK


def rebuild_step(row: Dispatch, *, now: datetime.datetime, by: str) -> None:
    """Replaces a step that takes something back, and has failed or was given up, by what is left to take back.

    Its order and trial are locked. In a trial's line a failed step keeps its place. After a given-up one others went
    on, so its successors come behind all that has begun.
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
    """Replaces a given-up cancel of a start day (all locked), behind all that has begun. The order stays active."""
    lock_line(row.order.trial)
    Dispatch.objects.filter(pk=row.pk).update(superseded=True)
    again = build_replacement(row, now=now, behind=True)
    again.blocking = False
    enqueue([again])


def open_dependency_incident(change: Order, *, now: datetime.datetime, by: str) -> None:
    """Opens an incident that names a change (or trial) that is gone or lost something, and the activation that has
    begun with it; one that has sent nothing was planned anew instead. The trial of the change is locked."""
    first = begun_with(change.trial or change)
    if first is None:
        return
    params = {"code": "rested_upon", "number": change.number, "activation": first.number}
    detail = f"{first.number} was begun with {change.number}, which is not in effect any more"
    for order in (change, first):
        open_incident(order, partner="order", step="", code=DEPENDENCY_GONE, detail=detail, now=now, params=params)


def begun_with(trial: Order, *, gone: Order | None = None) -> Order | None:
    """The activation that has begun on a trial and would be another one by what the trial is meant to be now, if there
    is one. `gone`: as if this change were taken back."""
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
    """Returns True if an activation would have other domains by this shape, or would have met an ended trial."""
    over = shape.is_over(first.planned_at.astimezone(SHANGHAI).date()) and not first.proceeded
    own = "domains" in first.given
    return over or (not own and set(first.domains.values_list("key", flat=True)) != set(shape.domains))
