"""Saves the outcomes of attempts, and gives their steps new states (contract 3.3, 3.5, 3.9).

The effects of these states are in one table (outcome_effects.py).
"""

import datetime
from collections.abc import Iterable

from django.db import transaction

from orders.attachments.check import UNCHECKED
from orders.db.compiled_sql import update_rows
from orders.history.order_locks_and_events import LOCKED_STEPS, add_event, add_events, event, lock_steps
from orders.models import OF_START, Attempt, Dispatch, Order, OrderEvent
from orders.outbox.leases import hand_back, still_held
from orders.outbox.open_moves import is_move
from orders.outbox.outcome import IN_A_ROW, LOOK_UP, NOT_UNDERSTOOD, UNANSWERED, UNPROVEN, WORKER_DIED, Outcome
from orders.outbox.proven_calls import (
    asks_proof,
    hold,
    is_in_run,
    is_never_repeated,
    is_proven,
    keep_answer,
    kind_of,
    lock_refused,
    note_proofs,
    say_doubt,
)
from orders.outbox.retry_schedule import next_try, try_again
from orders.rules.steps import STEPS, Channel, Phase, Step
from orders.sending.outcome_effects import carry_out
from orders.sending.record_updates import already_applied_correctly, settle_by_books
from orders.start_day.move_start import is_over
from orders.start_day.move_start_outcomes import settle_move
from orders.texts.error_messages import say_why_in_english

ROW = [
    "state", "lease_token", "next_try_at", "attempts", "tries_left", "error_code", "error", "definite", "done_at",
    "may_have_acted", "error_params", "unanswered_at",
]  # fmt: skip


def record_outcomes(outcomes: Iterable[Outcome], *, now: datetime.datetime, by: str = "worker") -> int:
    """Saves outcomes in one transaction. Returns the number of steps that became due. If the lease of an outcome was
    lost, the outcome is saved as late (fencing)."""
    outcomes = {outcome.dispatch_id: outcome for outcome in outcomes}
    with transaction.atomic():
        rows = {row.pk: row for row in lock_steps(outcomes.keys())}
        # Under the lock, since another worker may have taken a row over when the row's lease ran out.
        ours = still_held(rows, outcomes)
        ended = [Attempt(id=outcomes[pk].attempt_id, **_ending(outcomes[pk], outcomes[pk].result, now)) for pk in ours]
        update_rows(ended, ["finished_at", "outcome", "http_status", "answer", "error_code", "error"])
        for pk, outcome in outcomes.items():
            if pk not in ours and outcome.result != Attempt.Outcome.LOST:  # a lost step has been settled meanwhile
                _note_late(outcome, rows.get(pk), now, by)
        return _apply(ours, outcomes, now, by) if ours else 0


def record_read_again(row: Dispatch, outcome: Outcome, *, now: datetime.datetime, by: str) -> None:
    """Settles a failed step (its order and trial locked) by the current meaning of its kept answer, without a call."""
    [locked] = LOCKED_STEPS(ids=[row.pk])
    locked.order = row.order
    _apply({row.pk: locked}, {row.pk: outcome}, now, by)


def _ending(outcome: Outcome, result: str, now: datetime.datetime) -> dict:
    unclear = result == Attempt.Outcome.RETRY and outcome.not_understood
    return {
        "finished_at": now,
        "outcome": Attempt.Outcome.NOT_UNDERSTOOD if unclear else result,
        "http_status": outcome.http_status,
        "answer": outcome.answer,
        "error_code": outcome.code[:32],
        "error": outcome.logged,
    }


def _note_late(outcome: Outcome, row: Dispatch | None, now: datetime.datetime, by: str) -> None:
    """Saves an answer that came too late, and plans nothing. An attempt that was closed as lost stays closed."""
    Attempt.objects.filter(pk=outcome.attempt_id, outcome=Attempt.Outcome.OPEN).update(
        **_ending(outcome, Attempt.Outcome.LATE, now)
    )
    if row is None:
        return
    add_event(row.order, "late_answer", by=by, now=now, step=row.step, result=outcome.result, code=outcome.code)
    process = outcome.data.get("process", "")[:128]
    if process:
        Order.objects.filter(pk=row.order_id, bpm_process="").update(bpm_process=process)


def _apply(rows: dict[int, Dispatch], outcomes: dict[int, Outcome], now: datetime.datetime, by: str) -> int:
    events, fit = [], already_applied_correctly(rows.values(), outcomes)
    # The locks of refused kinds are the fourth in the order of locks (`lock_steps`).
    lock_refused(rows.values(), outcomes)
    for pk, row in rows.items():
        _settle_row(row, outcomes[pk], now, fits=pk in fit)
        keep_answer(row, outcomes[pk], now)
        if row.state == Dispatch.State.FAILED and _is_looked_up(row, outcomes[pk]):
            settle_by_books(row, outcomes[pk], now=now)
        # a step that was handed back was not called, so nothing is known
        if outcomes[pk].result != Attempt.Outcome.HANDED_BACK:
            row.lost = 0
        events += _events_of(row, outcomes[pk], now, by)
    note_proofs(rows.values(), outcomes, now=now, by=by)
    # Before the effects, whose rules read these states.
    update_rows(rows.values(), [*ROW, "lost"])
    add_events(events)
    return carry_out(rows.values(), outcomes, now=now, by=by)


def _settle_row(row: Dispatch, outcome: Outcome, now: datetime.datetime, *, fits: bool) -> None:
    """Sets the dispatch's state. `fits`: True if the partner carried out the step before, and the partner's records
    match the step."""
    row.lease_token = None
    if outcome.code != UNCHECKED or row.order.held_because != Order.Held.FILES:  # earlier findings remain
        row.error_code, row.error, row.error_params = outcome.code[:32], outcome.message, outcome.params
    row.may_have_acted |= outcome.unknown or outcome.result in {Attempt.Outcome.OK, Attempt.Outcome.ACTED_BEFORE}
    row.unanswered_at = now if outcome.unknown else row.unanswered_at
    if outcome.result == Attempt.Outcome.OK or fits:
        row.state, row.done_at, row.next_try_at, row.definite = Dispatch.State.DONE, now, None, True
    elif outcome.result == Attempt.Outcome.HANDED_BACK:
        hand_back(row, now)
    elif outcome.result == Attempt.Outcome.HELD:
        row.state, row.next_try_at = Dispatch.State.RETRYING, next_try("wrong_files", now)
    elif (
        outcome.result == Attempt.Outcome.RETRY
        and not _ends_at_once(row, outcome)
        and _is_tried_again(row, outcome, now)
    ):
        pass  # the next try of the step is set
    else:
        row.state, row.next_try_at = Dispatch.State.FAILED, None
        if doubt := _doubt_of(row, outcome):
            row.error_code = doubt
            row.may_have_acted = True
            if doubt != LOOK_UP and (said := say_doubt(row, outcome)):
                row.error, row.error_params = say_why_in_english(said), said
            if doubt != LOOK_UP and outcome.read in {"refused", NOT_UNDERSTOOD} and _is_unproven(row):
                hold(row, kind_of(row), doubt, outcome.logged, now=now)
        row.definite = outcome.result == Attempt.Outcome.REFUSED and not doubt
        # Attempts without a definite answer may have acted at the big-data side.
        row.may_have_acted |= not row.definite and row.channel == Channel.BILLING
        if is_move(row):
            settle_move(row)
    if (row.order.undo_since and not _still_wanted(row)) or (row.undo and _is_taken_over(row)):
        row.state, row.next_try_at = Dispatch.State.CLOSED, None


def _doubt_of(row: Dispatch, outcome: Outcome) -> str:
    """Returns the code of the doubt about a step that fails, or an empty string without a doubt (7.2). A doubt prevents
    compensation."""
    if outcome.result == Attempt.Outcome.LOST:
        return UNANSWERED if is_never_repeated(row.step) else ""
    if _must_look(outcome) and row.step != Step.MOVE_START:  # a move plans a query of its own (3.9, 18)
        return LOOK_UP
    if (
        row.repeat
        or row.step == Step.MOVE_START
        or outcome.result not in {Attempt.Outcome.RETRY, Attempt.Outcome.REFUSED}
    ):
        return ""
    if "held" in outcome.data and not row.sent_again:
        return ""  # the partner's records decide
    if outcome.not_understood or row.tries.filter(outcome=Attempt.Outcome.NOT_UNDERSTOOD).exists():
        return NOT_UNDERSTOOD
    if row.step == Step.START_BPM and row.unanswered_at:
        return UNANSWERED
    kind = kind_of(row) if outcome.read == "refused" and asks_proof() else ""
    if not kind:
        return ""
    return UNPROVEN if not is_proven(kind) else IN_A_ROW if is_in_run(kind, outcome) else ""


def _is_unproven(row: Dispatch) -> bool:
    """Returns True if the step's kind needs proof and is not proven yet."""
    return asks_proof() and bool(kind := kind_of(row)) and not is_proven(kind)


def _ends_at_once(row: Dispatch, outcome: Outcome) -> bool:
    """Returns True if a temporary failure is not retried. The reasons: the meaning of this call's answers is not proven
    yet, BPM might start a second process, or a person must look up the result."""
    doubt = (outcome.not_understood and _is_unproven(row)) or (outcome.unknown and is_never_repeated(row.step))
    return doubt or _must_look(outcome)


def _must_look(outcome: Outcome) -> bool:
    """Returns True if only a person can find out the state of the partner's records (contract 7.2)."""
    return outcome.code == LOOK_UP or bool(outcome.data.get(LOOK_UP))


def _is_tried_again(row: Dispatch, outcome: Outcome, now: datetime.datetime) -> bool:
    """Sets a step's next try. Returns False if no try is left, or if a move's call would end too near to the start
    (contract 3.9, 18)."""
    return try_again(row, outcome, now) and not (is_move(row) and is_over(row, row.next_try_at))


def _is_taken_over(row: Dispatch) -> bool:
    """Returns True if a withdrawal of the trial replaces this undo step of a change (contract 3.9, Resend)."""
    trial = row.order.trial
    over = row.lane is not None and row.order.kind == Order.Kind.CHANGE and trial.undo_since is not None
    return over and row.state in {Dispatch.State.FAILED, Dispatch.State.RETRYING, Dispatch.State.DUE}


def _is_looked_up(row: Dispatch, outcome: Outcome) -> bool:
    """Returns True if a failed cancel was refused, and the partner's records were queried (contract 3.9, 19)."""
    refused = outcome.result == Attempt.Outcome.REFUSED and "held" in outcome.data
    goes_on = row.undo or row.order.undo_since is None
    return refused and goes_on and not row.repeat


def _still_wanted(row: Dispatch) -> bool:
    """Returns True if a step continues although its order has an undo mark.

    These are undo steps, traffic queries, and billing calls of unknown outcome. Any other call that was in progress is
    closed, even if the call failed. Such a call gets no incident, so it must not be shown as failed.
    """
    if row.state == Dispatch.State.DONE or row.undo or row.position >= Phase.AFTER:
        return True
    if row.question in OF_START:
        return False
    if row.state == Dispatch.State.FAILED:
        return not STEPS[row.step].ignore_failure_when_undoing
    return row.channel == Channel.BILLING and row.may_have_acted


def _events_of(row: Dispatch, outcome: Outcome, now: datetime.datetime, by: str) -> list[OrderEvent]:
    kinds = {
        Dispatch.State.DONE: "step_done",
        Dispatch.State.FAILED: "step_failed",
        Dispatch.State.RETRYING: "step_retrying",
    }
    if (
        outcome.result in {Attempt.Outcome.HANDED_BACK, Attempt.Outcome.HELD}
        or outcome.code == UNCHECKED
        or row.state not in kinds
    ):
        return []
    about = {"step": row.step, "code": outcome.code, "message": outcome.message} if outcome.code else {"step": row.step}
    about |= {"params": outcome.params} if outcome.params else {}
    return [event(row.order, kinds[row.state], by=by, now=now, **about)]


def note_losses(rows: list[Dispatch], now: datetime.datetime) -> None:
    """Marks rows whose lease ran out as possibly carried out, without saving the rows. Closes the open attempts of
    these rows as lost."""
    if not rows:
        return
    attempts = Attempt.objects.filter(dispatch__in=rows, outcome=Attempt.Outcome.OPEN)
    attempts.update(outcome=Attempt.Outcome.LOST, finished_at=now, error=WORKER_DIED)
    for row in rows:
        row.may_have_acted, row.unanswered_at = True, now
