"""How an order's state follows from its steps, and which ways there are between states (contract 3.8)."""

import datetime

import pytest

from orders.models import Order
from orders.states import MOVES, StepFacts, derive_state, may_move
from tests.conftest import shanghai

NOW = shanghai("2023-09-20 18:54:36")
TOMORROW = NOW + datetime.timedelta(days=1)


def facts(*words: str) -> list[StepFacts]:
    """`done`, `waiting@start`, `failed~` (holds up nothing)."""
    steps = []
    for word in words:
        state, _, gate = word.rstrip("~").partition("@")
        steps.append(StepFacts(state, not word.endswith("~"), gate))
    return steps


STATES = [
    ("trial", {}, ["due"], "in_progress"),
    ("trial", {}, ["sending"], "in_progress"),
    ("trial", {}, ["retrying"], "in_progress"),
    ("trial", {}, ["done"], "trialing"),
    ("trial", {}, ["failed"], "failed"),
    ("trial", {}, ["done", "failed~"], "trialing"),
    ("trial", {"state": "converted"}, ["done"], "converted"),
    ("trial", {"state": "ended"}, ["done"], "ended"),
    ("change", {}, [], "applied"),
    ("change", {}, ["done", "waiting"], "in_progress"),
    ("change", {}, ["done", "done"], "applied"),
    ("change", {}, ["failed", "waiting"], "failed"),
    ("change", {"state": "withdrawn"}, ["done"], "withdrawn"),
    # first, now
    ("activation", {"first": True}, ["due~", "waiting", "waiting"], "in_progress"),
    ("activation", {"first": True}, ["failed~", "done", "done", "sending"], "in_progress"),
    ("activation", {"first": True}, ["failed~", "done", "done", "done", "retrying~"], "active"),
    ("activation", {"first": True}, ["done", "failed"], "failed"),
    # first, later
    ("activation", {"first": True, "start_at": TOMORROW}, ["done", "retrying", "waiting@start"], "in_progress"),
    ("activation", {"first": True, "start_at": TOMORROW}, ["done", "done", "waiting@start"], "scheduled"),
    ("activation", {"first": True, "start_at": NOW}, ["done", "done", "due@start"], "scheduled"),
    ("activation", {"first": True, "start_at": NOW}, ["done", "done", "retrying@start"], "scheduled"),
    ("activation", {"first": True, "start_at": NOW}, ["done", "done", "failed@start"], "failed"),
    ("activation", {"first": True, "start_at": NOW}, ["done", "done", "done@start"], "active"),
    # subsequent
    ("activation", {"first": False}, ["due", "waiting@approval"], "in_progress"),
    ("activation", {"first": False}, ["done", "waiting@approval"], "awaiting_approval"),
    ("activation", {"first": False, "decision": "pass"}, ["done", "waiting@approval"], "in_progress"),
    ("activation", {"first": False, "decision": "pass"}, ["done", "retrying@approval"], "in_progress"),
    ("activation", {"first": False, "decision": "pass"}, ["done", "done@approval"], "active"),
    ("activation", {"first": False, "decision": "pass", "start_at": TOMORROW}, ["done", "done@approval"], "scheduled"),
    ("activation", {"first": False, "decision": "pass", "start_at": NOW}, ["done", "done@approval"], "active"),
    ("activation", {"first": False}, ["done", "done"], "awaiting_approval"),  # billed at once
    # whatever the steps say
    ("activation", {"first": True, "held_because": "files"}, ["retrying", "waiting"], "held"),
    ("activation", {"first": True, "state": "compensating", "undo_since": NOW}, ["failed"], "compensating"),
    ("activation", {"first": True, "state": "rejected", "undo_since": NOW}, ["done", "closed"], "rejected"),
    ("activation", {"first": True, "state": "failed", "undo_since": NOW}, ["undone", "closed"], "failed"),
]


@pytest.mark.parametrize("kind, fields, steps, state", STATES)
def test_the_state_of_an_order_is(kind, fields, steps, state):
    order = Order(**{"kind": kind, "state": "in_progress", **fields})
    assert derive_state(order, facts(*steps), now=NOW) == state


MAY = [
    ("trial", "in_progress", "trialing"),
    ("trial", "trialing", "converted"),
    ("trial", "converted", "trialing"),
    ("trial", "converted", "ended"),
    ("trial", "ended", "compensating"),
    ("change", "held", "in_progress"),
    ("change", "applied", "compensating"),
    ("activation", "awaiting_approval", "in_progress"),
    ("activation", "scheduled", "active"),
    ("activation", "active", "compensating"),
    ("activation", "compensating", "rejected"),
    ("activation", "failed", "withdrawn"),
]
MUST_NOT = [
    ("trial", "in_progress", "awaiting_approval"),
    ("trial", "ended", "held"),
    ("trial", "withdrawn", "trialing"),
    ("change", "applied", "trialing"),
    ("activation", "compensating", "active"),
    ("activation", "rejected", "active"),
    ("activation", "active", "scheduled"),
    ("activation", "active", "held"),
]


@pytest.mark.parametrize("kind, old, new", MAY)
def test_there_is_a_way(kind, old, new):
    assert may_move(kind, old, new)


@pytest.mark.parametrize("kind, old, new", MUST_NOT)
def test_there_is_no_way(kind, old, new):
    assert not may_move(kind, old, new)


@pytest.mark.parametrize("kind", Order.Kind.values)
def test_nothing_comes_back_from_withdrawn_and_nothing_moves_to_itself(kind):
    back = {state for state in Order.State.values if may_move(kind, "withdrawn", state)}
    assert back == ({"converted"} if kind == "trial" else set())  # staff let an activation proceed upon it
    assert not any(may_move(kind, state, state) for state in Order.State.values)
    assert set(MOVES[kind]) | {new for news in MOVES[kind].values() for new in news} <= set(Order.State.values)
