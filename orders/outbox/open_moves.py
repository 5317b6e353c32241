"""The move of a start day that has no end yet (contract 3.9, 18), for whoever must not plan beside it."""

from collections.abc import Iterable

from orders.models import Dispatch, Order
from orders.models.dispatch import OPEN_STATES
from orders.rules.steps import Step

UNRESOLVED = [Dispatch.State.WAITING, *OPEN_STATES, Dispatch.State.FAILED]


def move_of(order: Order) -> Dispatch | None:
    """The move of the order that has no end yet: it is to be sent, is asked about, or its records disagree."""
    rows = order.dispatches.current().filter(step=Step.MOVE_START, repeat=False, state__in=UNRESOLVED)
    return rows.defer("payload").first()


def unresolved(steps: Iterable[Dispatch]) -> Dispatch | None:
    """Returns the open move among an order's current steps, where they are known already."""
    return next((row for row in steps if is_move(row) and row.state in UNRESOLVED), None)


def is_move(row: Dispatch) -> bool:
    return row.step == Step.MOVE_START and not row.repeat


def differs(move: Dispatch) -> bool:
    """Returns True if the big-data side was asked, and holds neither the old start everywhere nor the new one."""
    return move.state == Dispatch.State.FAILED and not move.asking
