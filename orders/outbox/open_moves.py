"""The unfinished move of a start day (contract 3.9, 18), for code that must not plan anything during the move."""

from collections.abc import Iterable

from orders.models import Dispatch, Order
from orders.models.dispatch import OPEN_STATES
from orders.rules.steps import Step

UNRESOLVED = [Dispatch.State.WAITING, *OPEN_STATES, Dispatch.State.FAILED]


def move_of(order: Order) -> Dispatch | None:
    """Returns the order's unfinished move, or None if there is none. An unfinished move is to be sent, is being
    queried, or has records that disagree."""
    rows = order.dispatches.current().filter(step=Step.MOVE_START, repeat=False, state__in=UNRESOLVED)
    return rows.defer("payload").first()


def unresolved(steps: Iterable[Dispatch]) -> Dispatch | None:
    """Returns the unfinished move among `steps`, an order's current steps, or None."""
    return next((row for row in steps if is_move(row) and row.state in UNRESOLVED), None)


def is_move(row: Dispatch) -> bool:
    return row.step == Step.MOVE_START and not row.repeat


def differs(move: Dispatch) -> bool:
    """Returns True if the big-data side was queried, and some of its records differ from the old start and some differ
    from the new start."""
    return move.state == Dispatch.State.FAILED and not move.asking
