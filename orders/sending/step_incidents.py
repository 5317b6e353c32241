"""Opens and closes the incidents of steps (contract 3.5, 3.9).

A failed step opens an incident. A step that is done closes it.
"""

import datetime
from collections.abc import Iterable

from django.db.models import Exists, OuterRef

from orders.db.compiled_sql import Prepared
from orders.db.expressions import OneOf
from orders.history.order_locks_and_events import add_event
from orders.incidents.incident_codes import BILLED_NOT_ACTIVE, BOOKS_ONLY
from orders.incidents.incidents import close_troubles, open_incident
from orders.models import AffectedOrder, BillingRecord, Dispatch, Order
from orders.outbox.outcome import ACTED_BEFORE
from orders.rules.steps import STEPS, Channel, Step
from orders.undoing.after_failed_step import is_compensated

EXPLAINED = Prepared(
    lambda: (
        AffectedOrder.objects.unresolved()
        .filter(
            OneOf("order_id", "trials") | OneOf("order__trial_id", "trials"),
            incident__step=Step.CREATE_TRIAL,
            incident__code=ACTED_BEFORE,
        )
        .exclude(  # their own incident says why they failed
            Exists(
                Dispatch.objects.current().filter(
                    order_id=OuterRef("order_id"), step=Step.CREATE_TRIAL, state=Dispatch.State.FAILED
                )
            )
        )
        .order_by("-order_id")
        .values_list("order_id")
    )
)  # create steps whose records were found cancelled, since the order that cancelled them was lost


def note_failure(row: Dispatch, *, now: datetime.datetime, by: str) -> None:
    """Opens the incident of a failed step. If the order is being undone, opens the incident only if the step matters to
    the undoing."""
    if row.order.undo_since is None or not STEPS[row.step].ignore_failure_when_undoing:
        _open_incident_of(row, row.error_code, now, names_trial=_names_trial(row))


def _open_incident_of(row: Dispatch, code: str, now: datetime.datetime, *, names_trial: bool) -> None:
    cause: dict = {"partner": STEPS[row.step].partner, "step": row.step, "code": code}
    beside = row.order.trial if names_trial else None
    open_incident(row.order, **cause, detail=row.error, params=row.error_params, now=now, beside=beside)


def _names_trial(row: Dispatch) -> bool:
    """Returns True if a failed step leaves a trial's records in a wrong state and its order is not compensated."""
    return row.lane is not None and not row.repeat and not is_compensated(row)


def note_acted_before(rows: Iterable[Dispatch], *, now: datetime.datetime, by: str) -> None:
    """Reports steps that the partner had carried out before, with other bytes (contract 3.5, 409).

    If the records are as expected, there is only an event. A process that we know nothing about, and a trial that
    somebody else cancelled, get an incident.
    """
    for row in rows:
        add_event(row.order, ACTED_BEFORE, by=by, now=now, step=row.step)
        cancelled = BillingRecord.objects.filter(pk__in=row.records[:1000], state=BillingRecord.State.CANCELLED)
        if row.channel != Channel.BILLING or (row.step == Step.CREATE_TRIAL and cancelled.exists()):
            _open_incident_of(row, ACTED_BEFORE, now, names_trial=row.lane is not None)


def close_explained(cancels: Iterable[Dispatch], *, now: datetime.datetime, by: str) -> None:
    """Closes the incidents of EXPLAINED for trials whose records an order has now cancelled."""
    trials = {row.order.trial_id: row.order.trial for row in cancels if row.order.trial_id}
    for pk in EXPLAINED(trials=trials) if trials else ():
        order = Order.objects.defer("content").get(pk=pk)
        order.trial = trials.get(order.trial_id)
        close_troubles(order, step=Step.CREATE_TRIAL, code=ACTED_BEFORE, now=now, by=by)


def end_troubles(done: Iterable[Dispatch], troubled: set[tuple[int, str]], *, now: datetime.datetime, by: str) -> None:
    """Closes the incidents of steps that are done now. `troubled`: the (order id, step name) pairs that have
    incidents."""
    for row in done:
        if (row.order_id, row.step) in troubled:
            stay = BOOKS_ONLY if row.channel != Channel.BILLING else BOOKS_ONLY - {ACTED_BEFORE, BILLED_NOT_ACTIVE}
            close_troubles(row.order, step=row.step, now=now, by=by, but=stay)
