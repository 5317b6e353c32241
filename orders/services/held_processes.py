"""Holds BPM steps of orders from before a restore. Only a person's `resend` sends them (contract 3.9, 17).

The database does not know what happened to them after the backup, and BPM can't be asked. BPM may have refused one key
and accepted a later one, and both are lost. So sending the step automatically might start a second process.
"""

import datetime
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q, QuerySet

from orders.db.compiled_sql import update_rows
from orders.models import Attempt, Dispatch, Order
from orders.services.order_writes import add_event, lock_orders
from orders.services.outbox.follow_up import move_on
from orders.services.outbox.outcome import RESTORED, Outcome
from orders.services.outbox.record import note_losses

State, Result = Dispatch.State, Attempt.Outcome
RESENT = "resent"  # key in `about`: the id of the event of a person's resend
MESSAGE = "the order was accepted before the database was restored; BPM may have its process"
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
    """Whether a step must wait for a person: it is from before the restore and was not resent since."""
    return row.step == Dispatch.Step.START_BPM and row.order_id <= last_order and row.about.get(RESENT, 0) <= last_event


def hold_processes(*, last_order: int, last_event: int, now: datetime.datetime, by: str = "worker") -> int:
    """Stops held steps that would be sent now, each with an incident and without compensation. Returns how many.

    `last_order` and `last_event` are those of the current timeline, 0 if the database was never restored. The function
    locks orders, so the caller must not be in a transaction.
    """
    if not last_order:
        return 0
    marks = {"last_order": last_order, "last_event": last_event}
    ids = [row.pk for row in _about_to_go(now, last_order) if is_held(row, **marks)]
    return _stop(ids, now, by, marks) if ids else 0


def _about_to_go(now: datetime.datetime, last_order: int) -> QuerySet[Dispatch]:
    due = Q(state__in=[State.DUE, State.RETRYING]) | Q(state=State.SENDING, next_try_at__lte=now)
    rows = Dispatch.objects.current().filter(due, step=Dispatch.Step.START_BPM, order_id__lte=last_order)
    return rows.filter(order__undo_since=None).order_by("pk").defer("payload")


@transaction.atomic
def _stop(ids: list[int], now: datetime.datetime, by: str, marks: dict[str, int]) -> int:
    pairs = Dispatch.objects.filter(pk__in=ids).values_list("order_id", "order__trial_id")
    orders = lock_orders({pk for pair in pairs for pk in pair if pk})
    rows = _about_to_go(now, marks["last_order"]).filter(pk__in=ids).select_for_update(no_key=True, of=("self",))
    rows = [row for row in rows if is_held(row, **marks)]
    died = [row for row in rows if row.state == State.SENDING]
    note_losses(died, now)
    for row in rows:
        row.order = orders[row.order_id]
        row.state, row.lease_token, row.next_try_at = State.FAILED, None, None
        row.error_code, row.error, row.definite, row.lost = RESTORED, MESSAGE, False, 0
        row.error_params = {}
        add_event(row.order, "step_failed", by=by, now=now, step=row.step, code=RESTORED, message=MESSAGE)
    update_rows(rows, WRITTEN)
    ended: dict = {"attempt_id": 0, "result": Result.LOST, "code": RESTORED, "message": MESSAGE}
    outcomes = {row.pk: Outcome(dispatch_id=row.pk, token=row.key, channel=row.channel, **ended) for row in rows}
    move_on(rows, outcomes, now=now, by=by)
    return len(rows)


def let_go(order: Order, *, event: int) -> None:
    """Lets the BPM step of a (locked) order be sent. `event` is the id of the event of a person's resend."""
    rows: Iterable[Dispatch] = order.dispatches.current().filter(step=Dispatch.Step.START_BPM)
    for row in rows.exclude(state__in=[State.DONE, State.UNDONE, State.CLOSED]).only("pk", "about"):
        Dispatch.objects.filter(pk=row.pk).update(about=row.about | {RESENT: event})
