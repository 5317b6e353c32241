"""Ends moves of start days whose time has expired (contract 3.9, 18), and queries starts after a restore.

A move that was never started is called off. A move that may have been carried out is queried.
"""

import datetime

from django.db import transaction
from django.db.models import Q

from orders.db.compiled_sql import update_rows
from orders.db.expressions import Among
from orders.history.order_locks_and_events import lock_steps
from orders.models import NOTES, Attempt, Dispatch, question_about
from orders.models.dispatch import OPEN_STATES
from orders.outbox.enqueue import build_step, enqueue
from orders.outbox.outcome import Outcome
from orders.rules.steps import Step
from orders.sending.outcome_effects import carry_out
from orders.sending.record import note_losses
from orders.start_day.move_start import is_over
from orders.start_day.move_start_outcomes import settle_move

STEP_IS_OPEN = Q(Among("state", "due", "retrying", "sending"))  # as in `dispatch_due` (orders/models/dispatch.py)
UNDER_WAY = STEP_IS_OPEN & Q(Among("step", Step.MOVE_START.value))
"""As in `dispatch_moves` (orders/db/indexes.py)."""
NOT_BEGUN = Q(state=Dispatch.State.DUE, attempts=0)
WRITTEN = ["state", "lease_token", "next_try_at", "definite", "may_have_acted", "unanswered_at", "lost"]


def end_moves(*, now: datetime.datetime, by: str = "sweep") -> int:
    """Ends each move whose time has expired and that has no call in progress. Returns how many."""
    rows = Dispatch.objects.current().filter(UNDER_WAY, repeat=False)
    found = [row for row in rows.order_by("pk").select_related("order").defer("payload") if is_over(row, now)]
    return sum(_end(row.pk, now, by) for row in found)


@transaction.atomic
def _end(pk: int, now: datetime.datetime, by: str) -> bool:
    [row] = lock_steps([pk])
    in_the_air = row.state == Dispatch.State.SENDING and row.lease_token is not None and row.next_try_at > now
    if row.superseded or row.state not in OPEN_STATES or in_the_air or not is_over(row, now):
        return False
    if row.state == Dispatch.State.SENDING:
        note_losses([row], now)
    row.state, row.next_try_at, row.lease_token, row.lost = Dispatch.State.FAILED, None, None, 0
    row.definite = row.attempts == 0
    row.may_have_acted |= row.attempts > 0
    settle_move(row)
    update_rows([row], WRITTEN)
    outcome = Outcome(dispatch_id=row.pk, attempt_id=0, token=row.key, channel=row.channel, result=Attempt.Outcome.LOST)
    carry_out([row], {row.pk: outcome}, now=now, by=by)
    return True


def ask_starts(*, last_order: int, last_event: int, now: datetime.datetime) -> int:
    """For orders older than the restore, adds a query of the start before each start day's cancel that was never
    attempted. The start of these orders may have been moved after the backup. Returns the number of queries. The
    function locks orders, so the caller must not be in a transaction.

    `last_order` and `last_event` are the newest ids from before the last restore.
    """
    rows = Dispatch.objects.current().filter(step=Step.CANCEL_TRIAL, gate=Dispatch.Gate.START, undo=False, repeat=False)
    rows = rows.filter(STEP_IS_OPEN, NOT_BEGUN, order_id__lte=last_order, order__undo_since=None).order_by("pk")
    found = [row for row in rows.select_related("order").defer("payload") if _is_to_ask(row, last_event)]
    return sum(_ask_start(row.pk, last_event, now) for row in found)


def _is_to_ask(row: Dispatch, last_event: int) -> bool:
    return (row.start_asked_event or -1) < last_event


@transaction.atomic
def _ask_start(pk: int, last_event: int, now: datetime.datetime) -> bool:
    rows = lock_steps([pk], Dispatch.objects.current().filter(NOT_BEGUN).defer("payload"))
    if not rows or rows[0].order.undo_since or not _is_to_ask(rows[0], last_event):
        return False
    [row], order = rows, rows[0].order
    row.state, row.next_try_at, row.start_asked_event = Dispatch.State.WAITING, None, last_event
    row.save(update_fields=["state", "next_try_at", *NOTES])
    place = question_about("start_of", row.pk, job=order.number)
    place |= {"position": row.position - 1, "gate": Dispatch.Gate.START, "size": order.billing_records.count()}
    enqueue([build_step(order, Step.ASK_BILLING, now=now, due=True, **place)])
    return True
