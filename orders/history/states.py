"""The allowed changes of state, and the derivation of an order's state from its steps (contract 3.8). Pure.

Only the `set_...` functions set an order's state, hold, decision or undo mark. They do not save it. They refuse changes
that the contract does not allow.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from orders.models import Dispatch, Order
from orders.rules.steps import Step

# Only services set these states or leave them; steps never do.
SET_BY_SERVICES_ALONE = frozenset(
    {Order.State.CONVERTED, Order.State.ENDED, Order.State.REJECTED, Order.State.COMPENSATING, Order.State.WITHDRAWN}
)

# Orders whose records are to be live, and orders of which no record may be live.
WITH_LIVE_RECORDS = frozenset(
    {
        Order.State.IN_PROGRESS,
        Order.State.AWAITING_APPROVAL,
        Order.State.SCHEDULED,
        Order.State.ACTIVE,
        Order.State.TRIALING,
    }
)
WITHOUT_RECORDS = frozenset({Order.State.WITHDRAWN, Order.State.REJECTED, Order.State.ENDED, Order.State.CONVERTED})

ENDED_WELL = frozenset({Dispatch.State.DONE, Dispatch.State.GIVEN_UP})  # steps in these states no longer block others
OVER = frozenset({*ENDED_WELL, Dispatch.State.CLOSED, Dispatch.State.UNDONE})

COMMON: dict[str, set[str]] = {
    Order.State.IN_PROGRESS: {Order.State.HELD, Order.State.FAILED, Order.State.COMPENSATING, Order.State.WITHDRAWN},
    Order.State.HELD: {Order.State.IN_PROGRESS, Order.State.FAILED, Order.State.COMPENSATING, Order.State.WITHDRAWN},
    Order.State.FAILED: {Order.State.IN_PROGRESS, Order.State.HELD, Order.State.COMPENSATING, Order.State.WITHDRAWN},
    Order.State.COMPENSATING: {Order.State.WITHDRAWN, Order.State.FAILED, Order.State.REJECTED},
    Order.State.WITHDRAWN: set(),
}
MOVES: dict[str, dict[str, set[str]]] = {
    Order.Kind.TRIAL: COMMON
    | {
        Order.State.IN_PROGRESS: COMMON[Order.State.IN_PROGRESS]
        | {Order.State.TRIALING, Order.State.CONVERTED, Order.State.ENDED},
        Order.State.HELD: COMMON[Order.State.HELD] | {Order.State.TRIALING},
        Order.State.FAILED: COMMON[Order.State.FAILED]
        | {Order.State.TRIALING, Order.State.CONVERTED, Order.State.ENDED},
        Order.State.TRIALING: {
            Order.State.IN_PROGRESS,
            Order.State.CONVERTED,
            Order.State.ENDED,
            Order.State.FAILED,
            Order.State.COMPENSATING,
            Order.State.WITHDRAWN,
        },
        Order.State.CONVERTED: {Order.State.TRIALING, Order.State.ENDED, Order.State.WITHDRAWN},
        Order.State.ENDED: {
            Order.State.TRIALING,
            Order.State.CONVERTED,
            Order.State.COMPENSATING,
            Order.State.WITHDRAWN,
        },
        Order.State.WITHDRAWN: {Order.State.CONVERTED},
    },
    Order.Kind.CHANGE: COMMON
    | {
        Order.State.IN_PROGRESS: COMMON[Order.State.IN_PROGRESS] | {Order.State.APPLIED},
        Order.State.HELD: COMMON[Order.State.HELD] | {Order.State.APPLIED},
        Order.State.FAILED: COMMON[Order.State.FAILED] | {Order.State.APPLIED},
        Order.State.APPLIED: {Order.State.IN_PROGRESS, Order.State.COMPENSATING, Order.State.WITHDRAWN},
    },
    Order.Kind.ACTIVATION: COMMON
    | {
        start: COMMON.get(start, set())
        | {
            Order.State.IN_PROGRESS,
            Order.State.HELD,
            Order.State.AWAITING_APPROVAL,
            Order.State.SCHEDULED,
            Order.State.ACTIVE,
            Order.State.REJECTED,
            Order.State.FAILED,
            Order.State.COMPENSATING,
            Order.State.WITHDRAWN,
        }
        - {start}
        for start in (
            Order.State.IN_PROGRESS,
            Order.State.HELD,
            Order.State.AWAITING_APPROVAL,
            Order.State.SCHEDULED,
            Order.State.FAILED,
        )
    }
    | {
        Order.State.ACTIVE: {
            Order.State.IN_PROGRESS,
            Order.State.FAILED,
            Order.State.REJECTED,
            Order.State.COMPENSATING,
            Order.State.WITHDRAWN,
        },
        Order.State.REJECTED: {
            Order.State.IN_PROGRESS,
            Order.State.HELD,
            Order.State.COMPENSATING,
            Order.State.WITHDRAWN,
        },
    },
}


class ForbiddenMoveError(Exception):
    """A programming error: the new state may not follow the order's present state."""


@dataclass(frozen=True)
class StepFacts:
    """The facts about a current step. The order's state is derived from them."""

    state: str
    blocking: bool
    gate: str
    step: str = ""


def may_move(kind: str, old: str, new: str) -> bool:
    return new in MOVES[kind].get(old, set())


def set_state(order: Order, new: str, *, at: datetime.datetime | None) -> str:
    """Set an order's state and `state_since`, and return the old state. Raises ForbiddenMoveError."""
    old = order.state
    if new != old:
        _check(may_move(order.kind, old, new), order, f"go from {old} to {new}")
        order.state, order.state_since = new, at
    return old


def set_held(order: Order, because: str) -> None:
    """Set the reason why an order is held. An empty reason ends the hold. Raises ForbiddenMoveError if the order can't
    be held."""
    holds = not order.undo_since and (
        order.state == Order.State.HELD or may_move(order.kind, order.state, Order.State.HELD)
    )
    _check(not because or holds, order, f"be held ({because}) while it is {order.state}")
    order.held_because = because


def set_decision(order: Order, decision: str, *, at: datetime.datetime | None) -> None:
    """Set BPM's decision in force (empty: none) and its time. Raises ForbiddenMoveError if the order is not an
    activation."""
    _check(not decision or order.kind == Order.Kind.ACTIVATION, order, "be decided about")
    order.decision, order.decided_at = decision, at


def set_undo_mark(order: Order, since: datetime.datetime | None) -> None:
    """Mark an order as being undone. None removes the mark, to open the order again.

    Raises ForbiddenMoveError if the order to mark has a mark already, or if the mark is to be removed and the order is
    neither failed nor rejected.
    """
    if since:
        _check(order.undo_since is None, order, "be undone a second time")
    else:
        _check(order.state in {Order.State.FAILED, Order.State.REJECTED}, order, f"be opened while it is {order.state}")
    order.undo_since = since


def _check(allowed: bool, order: Order, what: str) -> None:
    if not allowed:
        raise ForbiddenMoveError(f"{order.kind} {order.number} can't {what}")


def derive_state(order: Order, steps: Iterable[StepFacts], *, now: datetime.datetime) -> str:
    """Returns the state that follows from an order's steps.

    The states in SET_BY_SERVICES_ALONE, and the state of an order being undone, do not change.
    """
    if order.state in SET_BY_SERVICES_ALONE or order.undo_since:
        return order.state
    if order.held_because:
        return Order.State.HELD
    steps = list(steps)
    blocking = [step for step in steps if step.blocking and step.step != Step.MOVE_START]
    if any(step.state == Dispatch.State.FAILED for step in blocking):
        return Order.State.FAILED
    if order.kind == Order.Kind.ACTIVATION:
        moving = any(step.step == Step.MOVE_START and step.state not in OVER for step in steps)
        return _activation_state(order, blocking, moving, now)
    if any(step.state not in ENDED_WELL for step in blocking):
        return Order.State.IN_PROGRESS
    return Order.State.TRIALING if order.kind == Order.Kind.TRIAL else Order.State.APPLIED


def _activation_state(order: Order, blocking: list[StepFacts], moving: bool, now: datetime.datetime) -> str:
    """Returns the state of an activation from its blocking steps, its approval and its start.

    `moving`: a move of the order's start is not finished. The order stays scheduled until the move is finished
    (contract 3.9, 18).
    """
    pending = [step for step in blocking if step.state not in ENDED_WELL]
    if any(step.gate == Dispatch.Gate.NONE or step.state != Dispatch.State.WAITING for step in pending):
        # A start-day step under way leaves the order scheduled (contract 3.8, "until its start has been carried out").
        return (
            Order.State.SCHEDULED
            if all(step.gate == Dispatch.Gate.START for step in pending)
            else Order.State.IN_PROGRESS
        )
    if order.first is False and not order.decision:  # a reject undoes the order, or came too late to change it
        return Order.State.AWAITING_APPROVAL
    if any(step.gate == Dispatch.Gate.APPROVAL for step in pending):
        return Order.State.IN_PROGRESS
    if pending or moving or (order.start_at and order.start_at > now):
        return Order.State.SCHEDULED
    return Order.State.ACTIVE
