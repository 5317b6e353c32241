"""Writes down how attempts ended and lets the next steps begin (contract 3.5, 3.9)."""

import datetime
import logging
import random
from collections.abc import Iterable

from django.conf import settings
from django.db import OperationalError, connection, transaction

from orders.db.bulk_write import update_rows
from orders.models import Attempt, Dispatch, Order, OrderEvent
from orders.services.events import add_event, add_events, event
from orders.services.locking import lock_orders
from orders.services.outbox.follow_up import NEEDLESS, move_on
from orders.services.outbox.mails import AFTER_THE_PLAN
from orders.services.outbox.outcome import Outcome
from orders.services.outbox.results import write_results
from orders.services.reconciliation.held_records import fitting

logger = logging.getLogger(__name__)
State, Channel, Result = Dispatch.State, Dispatch.Channel, Attempt.Outcome
TRIES = 3
FILES_AGAIN = datetime.timedelta(minutes=5)  # contract 3.7
ROW = [
    "state", "lease_token", "next_try_at", "attempts", "tries_left", "error_code", "error", "definite", "done_at",
    "may_have_acted", "error_params",
]  # fmt: skip


def record_outcomes(outcomes: Iterable[Outcome], *, now: datetime.datetime, by: str = "worker") -> int:
    """Saves a batch of outcomes in one transaction; returns how many steps became due by it.

    An outcome whose lease is no longer ours (fencing) is written to its attempt as late and changes nothing else.
    A transaction that the database broke off (a deadlock, a long lock) is begun anew, since a partner has acted.
    """
    outcomes = {outcome.dispatch_id: outcome for outcome in outcomes}
    for _ in range(TRIES - 1):
        try:
            return _record(outcomes, now, by)
        except OperationalError:
            if connection.in_atomic_block or connection.connection is None:  # the second: it is away altogether
                raise
            logger.warning("recording outcomes once more", exc_info=True)
    return _record(outcomes, now, by)


def _record(outcomes: dict[int, Outcome], now: datetime.datetime, by: str) -> int:
    with transaction.atomic():
        rows = _locked_rows(outcomes)
        ours, late = {}, []
        for pk, outcome in outcomes.items():
            row = rows.get(pk)
            fits = row is not None and row.lease_token == outcome.token and row.state == State.SENDING
            ours.update({pk: row}) if fits else late.append(outcome)
        _write_attempts([outcomes[pk] for pk in ours], now)
        for outcome in late:
            if outcome.result == Result.LOST:
                continue  # it has been settled meanwhile
            _note_late(outcome, rows.get(outcome.dispatch_id), now, by)
        return _apply(ours, outcomes, now, by) if ours else 0


def _locked_rows(outcomes: dict[int, Outcome]) -> dict[int, Dispatch]:
    """Orders first, then their dispatches: the same way round as everywhere."""
    ids = Dispatch.objects.filter(pk__in=outcomes).values_list("order_id", "order__trial_id")
    orders = lock_orders({pk for pair in ids for pk in pair if pk})
    rows = Dispatch.objects.filter(pk__in=outcomes).order_by("pk").select_for_update(no_key=True)
    found = {}
    for row in rows.defer("payload"):
        row.order = orders[row.order_id]
        found[row.pk] = row
    return found


def _write_attempts(outcomes: Iterable[Outcome], now: datetime.datetime) -> None:
    rows = [Attempt(pk=outcome.attempt_id, **_ending(outcome, outcome.result, now)) for outcome in outcomes]
    update_rows(rows, ["finished_at", "outcome", "http_status", "answer", "error"])


def _ending(outcome: Outcome, result: str, now: datetime.datetime) -> dict:
    return {
        "finished_at": now,
        "outcome": result,
        "http_status": outcome.http_status,
        "answer": outcome.answer,
        "error": f"{outcome.code}: {outcome.message}" if outcome.code else outcome.message,
    }


def _note_late(outcome: Outcome, row: Dispatch | None, now: datetime.datetime, by: str) -> None:
    """An answer that came too late is kept and plans nothing. An attempt that was closed as lost stays closed."""
    Attempt.objects.filter(pk=outcome.attempt_id, outcome=Result.OPEN).update(**_ending(outcome, Result.LATE, now))
    if row is None:
        return
    add_event(row.order, "late_answer", by=by, now=now, step=row.step, result=outcome.result, code=outcome.code)
    process = outcome.data.get("process", "")[:128]
    if process:
        Order.objects.filter(pk=row.order_id, bpm_process="").update(bpm_process=process)


def _apply(rows: dict[int, Dispatch], outcomes: dict[int, Outcome], now: datetime.datetime, by: str) -> int:
    events, fit = [], fitting(rows.values(), outcomes)
    for pk, row in rows.items():
        _settle_row(row, outcomes[pk], now, fits=pk in fit)
        if outcomes[pk].result != Result.HANDED_BACK:  # then no call was made, and nothing is known about it
            row.lost = 0
        events += _events_of(row, outcomes[pk], now, by)
    update_rows(rows.values(), [*ROW, "lost"])
    add_events(events)
    write_results(rows.values(), outcomes, now=now, by=by)
    return move_on(rows.values(), outcomes, now=now, by=by)


def _settle_row(row: Dispatch, outcome: Outcome, now: datetime.datetime, *, fits: bool) -> None:
    """What becomes of the dispatch: done, tried again, failed, or handed back as if nothing had been.

    `fits`: the partner acted on it before, and holds what it means (see taken_books).
    """
    row.error_code, row.error, row.lease_token = outcome.code[:32], outcome.message, None
    row.error_params = outcome.params
    row.may_have_acted |= outcome.unknown or outcome.result in {Result.OK, Result.ACTED_BEFORE}
    if outcome.result == Result.OK or fits:
        row.state, row.done_at, row.next_try_at, row.definite = State.DONE, now, None, True
    elif outcome.result == Result.HANDED_BACK:
        row.attempts -= 1
        row.state = State.DUE if row.attempts == 0 else State.RETRYING
        row.next_try_at = now
    elif outcome.result == Result.HELD:
        row.state, row.next_try_at = State.RETRYING, now + FILES_AGAIN
    elif outcome.result == Result.RETRY and _try_again(row, outcome, now):
        pass
    else:
        row.state, row.next_try_at = State.FAILED, None
        row.definite = outcome.result == Result.REFUSED
        # attempts that ended without a definite answer: nobody knows what they did at the big-data side
        row.may_have_acted |= not row.definite and row.channel == Channel.BILLING
    if row.order.undo_since and not _still_wanted(row):
        row.state, row.next_try_at = State.CLOSED, None


def _still_wanted(row: Dispatch) -> bool:
    """Under an undo mark only its own steps go on, mails about it, and billing calls of unknown outcome. What else was
    in the air is closed, also if it failed: no incident is opened for it, so it must not stand there as failed."""
    if row.state == State.DONE or row.undo or row.position >= AFTER_THE_PLAN:
        return True
    if row.state == State.FAILED:
        return row.channel not in NEEDLESS
    return row.channel == Channel.BILLING and row.may_have_acted


def _try_again(row: Dispatch, outcome: Outcome, now: datetime.datetime) -> bool:
    """Sets the next try by the retry schedule, with jitter, not before the partner's Retry-After; False: used up."""
    waits = settings.DISPATCH_RETRY_SECONDS
    left = len(waits) if row.tries_left is None else min(row.tries_left, len(waits))  # the plan may be shorter now
    if outcome.free:
        wait = max(settings.BREAKER_PROBE_SECONDS, outcome.retry_after or 0)
        row.state, row.next_try_at = State.RETRYING, now + datetime.timedelta(seconds=wait)
        return True
    if left == 0:
        return False
    wait = waits[len(waits) - left]
    wait = max(wait * random.uniform(0.9, 1.1), outcome.retry_after or 0)
    row.state, row.tries_left = State.RETRYING, left - 1
    row.next_try_at = now + datetime.timedelta(seconds=wait)
    return True


def _events_of(row: Dispatch, outcome: Outcome, now: datetime.datetime, by: str) -> list[OrderEvent]:
    kinds = {State.DONE: "step_done", State.FAILED: "step_failed", State.RETRYING: "step_retrying"}
    if outcome.result in {Result.HANDED_BACK, Result.HELD} or row.state not in kinds:
        return []
    about = {"step": row.step, "code": outcome.code, "message": outcome.message} if outcome.code else {"step": row.step}
    about |= {"params": outcome.params} if outcome.params else {}
    return [event(row.order, kinds[row.state], by=by, now=now, **about)]
