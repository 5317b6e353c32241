"""What follows when steps have ended: incidents, holds, compensation, the next steps (contract 3.5, 3.9)."""

import datetime
from collections.abc import Iterable

from orders.models import Attempt, Dispatch, Order
from orders.services.approvals import apply_early_decisions
from orders.services.files import end_files_hold, hold_for_files
from orders.services.incidents import PARTNERS, close_troubles, open_incident
from orders.services.outcome import Outcome
from orders.services.progress import refresh_states
from orders.services.stepping import release
from orders.services.undo import begin_undo
from orders.services.undone import finish_undo, note_undone

State, Step = Dispatch.State, Dispatch.Step
COMPENSATED = {Step.CREATE_BILLING, Step.CANCEL_TRIAL, Step.START_BPM}


def move_on(rows: Iterable[Dispatch], outcomes: dict[int, Outcome], *, now: datetime.datetime, by: str) -> int:
    """Acts upon steps that ended (their orders locked); returns how many steps became due by it."""
    done = [row for row in rows if row.state == State.DONE]
    for row in rows:
        if outcomes[row.pk].result == Attempt.Outcome.HELD:
            hold_for_files(row, outcomes[row.pk], now=now, by=by)
        elif row.state == State.FAILED:
            _note_failure(row, now, by)
    _end_troubles(done, now, by)
    apply_early_decisions([row.order for row in done if row.step == Step.START_BPM], now=now)
    lanes = {row.lane for row in rows if row.lane and row.state in {State.DONE, State.FAILED}}
    ended = {row.order_id for row in rows if row.state in {State.DONE, State.FAILED}}
    released = release(now=now, order_ids=ended, lanes=lanes) if ended else 0
    note_undone([row for row in done if row.undo], now=now, by=by)
    orders = {row.order_id: row.order for row in rows}
    for order in orders.values():
        if order.state == Order.State.COMPENSATING:
            finish_undo(order, now=now, by=by)
    refresh_states(orders.values(), now=now, by=by)
    return released


def _note_failure(row: Dispatch, now: datetime.datetime, by: str) -> None:
    """An incident, and compensation where the contract names the step (3.9, Compensation's reach)."""
    open_incident(
        row.order, partner=PARTNERS[row.channel], step=row.step, code=row.error_code, detail=row.error, now=now
    )
    reached = row.order.kind == Order.Kind.ACTIVATION and row.step in COMPENSATED and row.gate != Dispatch.Gate.START
    if reached and not row.undo and not row.order.undo_since:
        begin_undo(row.order, ending=Order.State.FAILED, why=f"{row.step}: {row.error_code}", by=by, now=now)


def _end_troubles(done: list[Dispatch], now: datetime.datetime, by: str) -> None:
    for row in done:
        if row.step == Step.CHECK_FILES:
            end_files_hold(row.order)
        if row.attempts > 1 or row.step == Step.CHECK_FILES:
            close_troubles(row.order, step=row.step, now=now, by=by)
