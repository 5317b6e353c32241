"""Holds BPM starts that may have created a process, since BPM can't be queried.

After a restore, these are the starts of older orders. BPM may have refused one key and accepted a later key, and the
restored database has neither key. Only a person's `resend` sends them (contract 3.9, 17). If BPM does not support
repeats, these are also the starts that may have acted and are due again. Their order was reopened, or the starts were
waiting when `repeats` became `ask` (7.2).
"""

import datetime
from collections.abc import Callable, Iterable

from django.db import transaction
from django.db.models import Q, QuerySet

from orders.db.compiled_sql import update_rows
from orders.history.order_locks_and_events import add_event, lock_steps
from orders.models import NOTES, Attempt, Dispatch, Order
from orders.outbox.outcome import RESTORED, UNANSWERED, Outcome
from orders.outbox.proven_calls import is_never_repeated
from orders.sending.outcome_effects import carry_out
from orders.sending.record import note_losses

DUE = Q(state__in=[Dispatch.State.DUE, Dispatch.State.RETRYING])
MESSAGE = "the order was accepted before the database was restored; BPM may have its process"
NOT_REPEATED = "BPM may have its process, and knows no repeats"
WRITTEN = [
    "state",
    "lease_token",
    "next_try_at",
    "error_code",
    "error",
    "error_params",
    "definite",
    "lost",
    "may_have_acted",
]


def is_held(row: Dispatch, *, last_order: int, last_event: int) -> bool:
    """Returns True if a step must wait for a person. The order of such a step is from before the restore, and the step
    was not resent after the restore."""
    return row.step == Dispatch.Step.START_BPM and row.order_id <= last_order and (row.resent_event or 0) <= last_event


def hold_processes(*, last_order: int, last_event: int, now: datetime.datetime, by: str = "worker") -> int:
    """Fails the BPM starts that must wait for a person (`is_held`) and would be sent now. Each start gets an incident,
    without compensation. Returns the number of these starts.

    `last_order` and `last_event` are the newest ids from before the last restore, or 0 without a restore. The function
    locks orders, so the caller must not be in a transaction.
    """
    if not last_order:
        return 0
    rows = _about_to_go(DUE | Q(state=Dispatch.State.SENDING, next_try_at__lte=now)).filter(order_id__lte=last_order)
    return _stop(
        rows, lambda row: is_held(row, last_order=last_order, last_event=last_event), RESTORED, MESSAGE, now, by
    )


def hold_unanswered(*, now: datetime.datetime, by: str = "worker") -> int:
    """Fails BPM starts that may have acted and are due again, if BPM does not support repeats. Returns how many."""
    if not is_never_repeated(Dispatch.Step.START_BPM):
        return 0
    rows = _about_to_go(DUE).filter(may_have_acted=True, repeat=False)
    return _stop(rows, lambda row: True, UNANSWERED, NOT_REPEATED, now, by)


def _about_to_go(due: Q) -> QuerySet[Dispatch]:
    rows = Dispatch.objects.current().filter(due, step=Dispatch.Step.START_BPM, order__undo_since=None)
    return rows.order_by("pk").defer("payload")


def _stop(
    going: QuerySet[Dispatch], is_meant: Callable, code: str, message: str, now: datetime.datetime, by: str
) -> int:
    ids = [row.pk for row in going if is_meant(row)]
    if not ids:
        return 0
    with transaction.atomic():
        rows = [row for row in lock_steps(ids, going) if is_meant(row)]
        note_losses([row for row in rows if row.state == Dispatch.State.SENDING], now)
        for row in rows:
            row.state, row.lease_token, row.next_try_at = Dispatch.State.FAILED, None, None
            row.error_code, row.error, row.definite, row.lost = code, message, False, 0
            row.error_params = {}
            add_event(row.order, "step_failed", by=by, now=now, step=row.step, code=code, message=message)
        update_rows(rows, WRITTEN)
        ended: dict = {"attempt_id": 0, "result": Attempt.Outcome.LOST, "code": code, "message": message}
        outcomes = {row.pk: Outcome(dispatch_id=row.pk, token=row.key, channel=row.channel, **ended) for row in rows}
        carry_out(rows, outcomes, now=now, by=by)
    return len(rows)


def let_go(order: Order, *, event: int) -> None:
    """Allows the BPM start of a (locked) order to be sent. `event` is the id of the event of a person's resend."""
    rows: Iterable[Dispatch] = order.dispatches.current().filter(step=Dispatch.Step.START_BPM)
    for row in rows.exclude(state__in=[Dispatch.State.DONE, Dispatch.State.UNDONE, Dispatch.State.CLOSED]).only(*NOTES):
        row.resent_event = event
        row.save(update_fields=NOTES)
