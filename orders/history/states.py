"""The allowed moves between states, and how an order's state follows from its steps (contract 3.8). Pure.

Only the `set_...` functions give an order its state, hold, decision or undo mark. They do not save it. They refuse
moves that the contract does not have.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from orders.models import Dispatch, Order
from orders.rules.steps import Step

S, D = Order.State, Dispatch.State

# Only services undo or close an order; steps alone never move it out of these.
SETTLED = frozenset({S.CONVERTED, S.ENDED, S.REJECTED, S.COMPENSATING, S.WITHDRAWN})

# Orders whose records are to be live, and those of which none may be.
STANDS = frozenset({S.IN_PROGRESS, S.AWAITING_APPROVAL, S.SCHEDULED, S.ACTIVE, S.TRIALING})
ENDED_ORDERS = frozenset({S.WITHDRAWN, S.REJECTED, S.ENDED, S.CONVERTED})

ENDED_WELL = frozenset({D.DONE, D.GIVEN_UP})  # nothing waits for such a step any more
OVER = frozenset({*ENDED_WELL, D.CLOSED, D.UNDONE})

COMMON: dict[str, set[str]] = {
    S.IN_PROGRESS: {S.HELD, S.FAILED, S.COMPENSATING, S.WITHDRAWN},
    S.HELD: {S.IN_PROGRESS, S.FAILED, S.COMPENSATING, S.WITHDRAWN},
    S.FAILED: {S.IN_PROGRESS, S.HELD, S.COMPENSATING, S.WITHDRAWN},
    S.COMPENSATING: {S.WITHDRAWN, S.FAILED, S.REJECTED},
    S.WITHDRAWN: set(),
}
MOVES: dict[str, dict[str, set[str]]] = {
    Order.Kind.TRIAL: COMMON
    | {
        S.IN_PROGRESS: COMMON[S.IN_PROGRESS] | {S.TRIALING, S.CONVERTED, S.ENDED},
        S.HELD: COMMON[S.HELD] | {S.TRIALING},
        S.FAILED: COMMON[S.FAILED] | {S.TRIALING, S.CONVERTED, S.ENDED},
        S.TRIALING: {S.IN_PROGRESS, S.CONVERTED, S.ENDED, S.FAILED, S.COMPENSATING, S.WITHDRAWN},
        S.CONVERTED: {S.TRIALING, S.ENDED, S.WITHDRAWN},
        S.ENDED: {S.TRIALING, S.CONVERTED, S.COMPENSATING, S.WITHDRAWN},
        S.WITHDRAWN: {S.CONVERTED},
    },
    Order.Kind.CHANGE: COMMON
    | {
        S.IN_PROGRESS: COMMON[S.IN_PROGRESS] | {S.APPLIED},
        S.HELD: COMMON[S.HELD] | {S.APPLIED},
        S.FAILED: COMMON[S.FAILED] | {S.APPLIED},
        S.APPLIED: {S.IN_PROGRESS, S.COMPENSATING, S.WITHDRAWN},
    },
    Order.Kind.ACTIVATION: COMMON
    | {
        start: COMMON.get(start, set())
        | {
            S.IN_PROGRESS,
            S.HELD,
            S.AWAITING_APPROVAL,
            S.SCHEDULED,
            S.ACTIVE,
            S.REJECTED,
            S.FAILED,
            S.COMPENSATING,
            S.WITHDRAWN,
        }
        - {start}
        for start in (S.IN_PROGRESS, S.HELD, S.AWAITING_APPROVAL, S.SCHEDULED, S.FAILED)
    }
    | {
        S.ACTIVE: {S.IN_PROGRESS, S.FAILED, S.REJECTED, S.COMPENSATING, S.WITHDRAWN},
        S.REJECTED: {S.IN_PROGRESS, S.HELD, S.COMPENSATING, S.WITHDRAWN},
    },
}


class ForbiddenMoveError(Exception):
    """A fault of ours: the code tried to give an order a state that can't follow its present one."""


@dataclass(frozen=True)
class StepFacts:
    """The facts of one current step on which its order's state depends."""

    state: str
    blocking: bool
    gate: str
    step: str = ""


def may_move(kind: str, old: str, new: str) -> bool:
    return new in MOVES[kind].get(old, set())


def set_state(order: Order, new: str, *, at: datetime.datetime | None) -> str:
    """Gives an order a state, and since when; save `state_since` too. Returns the former. Raises ForbiddenMoveError."""
    old = order.state
    if new != old:
        _check(may_move(order.kind, old, new), order, f"go from {old} to {new}")
        order.state, order.state_since = new, at
    return old


def set_held(order: Order, because: str) -> None:
    """Sets why an order is held; empty: it is not. Raises ForbiddenMoveError if it can't be held."""
    holds = not order.undo_since and (order.state == S.HELD or may_move(order.kind, order.state, S.HELD))
    _check(not because or holds, order, f"be held ({because}) while it is {order.state}")
    order.held_because = because


def set_decision(order: Order, decision: str, *, at: datetime.datetime | None) -> None:
    """Sets BPM's decision that counts (empty: none), and since when. Raises ForbiddenMoveError for other kinds."""
    _check(not decision or order.kind == Order.Kind.ACTIVATION, order, "be decided about")
    order.decision, order.decided_at = decision, at


def set_undo_mark(order: Order, since: datetime.datetime | None) -> None:
    """Marks an order as being undone, once. None removes the mark to open it again. Raises ForbiddenMoveError."""
    if since:
        _check(order.undo_since is None, order, "be undone a second time")
    else:
        _check(order.state in {S.FAILED, S.REJECTED}, order, f"be opened while it is {order.state}")
    order.undo_since = since


def _check(allowed: bool, order: Order, what: str) -> None:
    if not allowed:
        raise ForbiddenMoveError(f"{order.kind} {order.number} can't {what}")


def derive_state(order: Order, steps: Iterable[StepFacts], *, now: datetime.datetime) -> str:
    """The state that follows from an order's steps. SETTLED states stay, and the ending of an undone order."""
    if order.state in SETTLED or order.undo_since:
        return order.state
    if order.held_because:
        return S.HELD
    steps = list(steps)
    blocking = [step for step in steps if step.blocking and step.step != Step.MOVE_START]
    if any(step.state == D.FAILED for step in blocking):
        return S.FAILED
    if order.kind == Order.Kind.ACTIVATION:
        moving = any(step.step == Step.MOVE_START and step.state not in OVER for step in steps)
        return _activation_state(order, blocking, moving, now)
    if any(step.state not in ENDED_WELL for step in blocking):
        return S.IN_PROGRESS
    return S.TRIALING if order.kind == Order.Kind.TRIAL else S.APPLIED


def _activation_state(order: Order, blocking: list[StepFacts], moving: bool, now: datetime.datetime) -> str:
    """The state of an activation: whether it is sent, approved if it must be, and its start day was carried out.

    `moving`: a move of its start has no end yet. It leaves the order scheduled until then (contract 3.9, 18).
    """
    pending = [step for step in blocking if step.state not in ENDED_WELL]
    if any(step.gate == Dispatch.Gate.NONE or step.state != D.WAITING for step in pending):
        # A start-day step under way leaves the order scheduled (contract 3.8, "until its start has been carried out").
        return S.SCHEDULED if all(step.gate == Dispatch.Gate.START for step in pending) else S.IN_PROGRESS
    if order.first is False and not order.decision:  # a reject undoes the order, or came too late to change it
        return S.AWAITING_APPROVAL
    if any(step.gate == Dispatch.Gate.APPROVAL for step in pending):
        return S.IN_PROGRESS
    if pending or moving or (order.start_at and order.start_at > now):
        return S.SCHEDULED
    return S.ACTIVE
