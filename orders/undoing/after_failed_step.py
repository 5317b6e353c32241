"""Starts the compensation of an order after a failed step, if required (contract 3.9, Compensation's reach)."""

import datetime

from orders.models import Dispatch, Order
from orders.outbox.outcome import ACTED_BEFORE, DOUBTS, LOOK_UP, RESTORED
from orders.rules.steps import STEPS
from orders.undoing.start import begin_undo

NOT_COMPENSATED = {"lost", ACTED_BEFORE, LOOK_UP, RESTORED} | DOUBTS  # the partner has not refused the order


def compensate(row: Dispatch, *, now: datetime.datetime, by: str) -> None:
    """Starts to undo the order of a failed step, if the contract requires it."""
    if is_compensated(row) and not row.order.undo_since:
        begin_undo(row.order, ending=Order.State.FAILED, why=f"{row.step}: {row.error_code}", by=by, now=now)


def is_compensated(row: Dispatch) -> bool:
    """Returns True if the failure of a step starts the compensation of its order (contract 3.9, Compensation's
    reach)."""
    reached = (
        row.order.kind == Order.Kind.ACTIVATION and STEPS[row.step].compensated and row.gate != Dispatch.Gate.START
    )
    reached &= not row.undo and not row.repeat and row.error_code not in NOT_COMPENSATED
    return reached and not row.from_look
