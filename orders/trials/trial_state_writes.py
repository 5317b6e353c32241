"""Stores the shapes of trials (contract 3.9, 19). Only intake creates a TrialShape; all other writes are in this
module.

Code that changes a trial's shape calls `reshape` under the trial's lock. The shape changes when a change is planned,
withdrawn or given up, when the trial ends or gets an accepted end, and when a claim is taken or released. `reshape`
computes and stores the shape, creates the rows of records that the shape requires, and updates the trial's state.
"""

import datetime
from collections.abc import Mapping

from django.db.models import OuterRef, Subquery

from orders.db.compiled_sql import Prepared, Slot, insert_rows, update_rows
from orders.db.expressions import OneOf
from orders.history.order_locks_and_events import add_event, move_trial, save_moves
from orders.models import NOTES, BillingRecord, Dispatch, Order, TrialClaim, TrialEnd, TrialShape
from orders.rules.local_time import SHANGHAI
from orders.rules.steps import Step
from orders.rules.trial_shape import Shape, fold
from orders.trials.trial_state_reads import entries_of, shape_of

FINISHED_STEPS = [Dispatch.State.DONE, Dispatch.State.GIVEN_UP, Dispatch.State.UNDONE]
CONVERTIBLE = {Order.State.TRIALING, Order.State.IN_PROGRESS, Order.State.FAILED, Order.State.ENDED}
CLAIMED = Prepared(
    lambda: (
        TrialClaim.objects.filter(OneOf("trial_id", "trials"), released_at=None)
        .order_by("trial_id")
        .values_list("trial_id")
    )
)
LAST_NUMBERS = Prepared(
    lambda: Order.objects.filter(number=Slot("number")).values_list(
        Subquery(
            Order.objects.filter(trial=OuterRef("pk"), kind=Order.Kind.CHANGE, change_number__isnull=False)
            .order_by("-change_number")
            .values("change_number")[:1]
        ),
        Subquery(TrialEnd.objects.filter(trial=OuterRef("pk")).order_by("-number").values("number")[:1]),
    )
)


def reshape(trial: Order, *, now: datetime.datetime, by: str) -> Shape:
    """Computes and stores a (locked) trial's shape, the rows of its records, and its state."""
    shape = fold(entries_of([trial.pk])[trial.pk])
    keep_shape(trial, shape)
    if trial.planned_at and not trial.undo_since:  # a withdrawn trial sends nothing any more
        _make_rows(trial, shape)
    refresh_trial(trial, shape, now=now, by=by)
    return shape


def keep_shape(trial: Order, shape: Shape) -> None:
    """Saves a (locked) trial's shape, and saves its changed service on the trial.

    Compares the service with the database row, since a transaction may have several instances of a trial.
    """
    row = TrialShape(trial=trial, **shape.columns)
    TrialShape.objects.bulk_create([row], update_conflicts=True, unique_fields=["trial"], update_fields=shape.columns)
    trial.changed_service_id = shape.service if shape.service not in {"", trial.service_type_id} else None
    rows = Order.objects.filter(pk=trial.pk).exclude(changed_service=trial.changed_service_id)
    rows.update(changed_service=trial.changed_service_id)


def keep_change(trial: Order, shape: Shape, *, is_new: bool, now: datetime.datetime, by: str) -> None:
    """Stores a (locked) trial's shape after a change that comes last among its entries. The rows of its records were
    created with the plan.

    A new change affects the trial's state only if the trial has ended.
    """
    keep_shape(trial, shape)
    if not is_new or trial.state == Order.State.ENDED:
        refresh_trial(trial, shape, now=now, by=by)


def _make_rows(trial: Order, shape: Shape) -> None:
    """Creates missing rows of required records, since the steps select their records from these rows.

    Rows that were never sent and are not required any more count as deleted.
    """
    known, again, dropped = set(), [], []
    rows = trial.billing_records.order_by("pk").values_list("pk", "product_id", "domain_key", "state", "create_time")
    for pk, service, key, state, made in rows:  # no instances, since a request of BBOSS may have 20,000
        if service == shape.service and key in shape.domains:
            known.add(key)
            if state == BillingRecord.State.DELETED and made is None:
                again.append(pk)
        elif state == BillingRecord.State.TO_SEND:
            dropped.append(pk)
    same = {"order": trial, "info_type": BillingRecord.Type.TRIAL, "product_id": shape.service}
    missing = [(key, name) for key, name in shape.domains.items() if key not in known]
    insert_rows(
        BillingRecord(domain=name, domain_key=key, business_type=shape.service, **same) for key, name in missing
    )
    for new, ids in ((BillingRecord.State.TO_SEND, again), (BillingRecord.State.DELETED, dropped)):
        update_rows((BillingRecord(pk=pk, state=new) for pk in ids), ["state"])


def refresh_trial(trial: Order, shape: Shape | None = None, *, now: datetime.datetime, by: str) -> None:
    """Derives a (locked) trial's state from its shape and claim, once its records were created."""
    if trial.state in {Order.State.WITHDRAWN, Order.State.COMPENSATING} or not _is_made(trial):
        return
    if trial.undo_since:
        new = trial.state if trial.state != Order.State.CONVERTED or _is_taken_over(trial) else Order.State.WITHDRAWN
    elif _is_taken_over(trial):
        new = Order.State.CONVERTED
    else:
        over = (shape or shape_of(trial)).is_over(now.astimezone(SHANGHAI).date())
        new = Order.State.ENDED if over else Order.State.TRIALING
    if new != trial.state:
        move_trial(trial, new, now=now, by=by)


def convert_trials(trials: Mapping[int, Order], *, now: datetime.datetime, by: str) -> None:
    """Sets (locked) trials with an open claim to converted. Call it when the claim's holder has cancelled their
    records."""
    running = {pk: trial for pk, trial in trials.items() if trial.state in CONVERTIBLE and trial.undo_since is None}
    claimed = CLAIMED(trials=running) if running else ()
    moved = [(running[pk], running[pk].state, Order.State.CONVERTED) for pk in claimed]
    if moved:
        save_moves(moved, now=now, by=by)


def _is_made(trial: Order) -> bool:
    """Returns True if all steps that create the trial's records have ended."""
    steps = trial.dispatches.current().filter(step=Step.CREATE_TRIAL, undo=False, repeat=False)
    states = list(steps.values_list("state", flat=True))
    return bool(states) and all(state in FINISHED_STEPS for state in states)


def _is_taken_over(trial: Order) -> bool:
    """Returns True if the activation with the open claim has cancelled the trial's records, according to the partner's
    answer or a comparison."""
    claim = TrialClaim.objects.filter(trial=trial, released_at=None).first()
    if claim is None:
        return False
    if trial.state == Order.State.CONVERTED:
        return True
    cancels = Dispatch.objects.filter(order=claim.activation_id, step=Step.CANCEL_TRIAL, undo=False, repeat=False)
    if any(not row.rest for row in cancels.current().filter(state=Dispatch.State.DONE).only(*NOTES)):
        return True
    found = trial.billing_records.filter(state=BillingRecord.State.CANCELLED, dispatch__in=cancels)
    return found.exists() and not trial.billing_records.filter(state__in=BillingRecord.THERE).exists()


def next_number(trial: Order) -> int:
    """Returns the next sequence number of a (locked) trial's entries.

    Times are not used, as the clock may step back.
    """
    return number_after(LAST_NUMBERS(number=trial.number))


def number_after(last: list[tuple[int | None, int | None]]) -> int:
    """Returns the sequence number after the greatest number in LAST_NUMBERS' result."""
    return max(number or 0 for number in last[0]) + 1


def end_trial(trial: Order, *, why: str, now: datetime.datetime, by: str) -> None:
    """Ends a (locked) trial until a change sets a later end. The caller reshapes the trial."""
    _add_end(trial, TrialEnd.Kind.ENDING, None, now, by)
    add_event(trial, "trial_ending", by=by, now=now, why=why)


def take_end(trial: Order, end: datetime.date | None, *, now: datetime.datetime, by: str) -> None:
    """Makes the big-data side's last day the end of a (locked) trial. If the day is None, the trial gets no end. The
    caller reshapes the trial."""
    set_end(trial, end, now=now, by=by)
    add_event(trial, "end_taken", by=by, now=now, end=end and end.isoformat())


def set_end(trial: Order, end: datetime.date | None, *, now: datetime.datetime, by: str) -> None:
    """Makes this day a (locked) trial's end. The caller writes the event and reshapes the trial."""
    _add_end(trial, TrialEnd.Kind.TAKEN, end, now, by)


def _add_end(trial: Order, kind: str, end: datetime.date | None, now: datetime.datetime, by: str) -> None:
    TrialEnd.objects.create(trial=trial, number=next_number(trial), kind=kind, ends_on=end, at=now, by=by[:160])
