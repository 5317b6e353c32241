"""An order's state follows from its steps, and only some changes between states are allowed (contract 3.8)."""

import datetime

import pytest

from orders.history.states import (
    MOVES,
    ForbiddenMoveError,
    StepFacts,
    derive_state,
    may_move,
    set_decision,
    set_held,
    set_state,
    set_undo_mark,
)
from orders.models import Order
from tests.conftest import shanghai

NOW = shanghai("2023-09-20 18:54:36")
TOMORROW = NOW + datetime.timedelta(days=1)


def facts(*words: str) -> list[StepFacts]:
    """Returns the facts about steps from words: `done` is a state, `waiting@start` a state with a gate, and `failed~`
    is a step that blocks nothing.
    """
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
    ("trial", {"state": "compensating"}, ["failed"], "compensating"),
    # the given-up step blocks nothing; what ends the trial is the act of giving up, not this rule
    ("trial", {}, ["given_up"], "trialing"),
    ("change", {}, [], "applied"),
    ("change", {}, ["done", "waiting"], "in_progress"),
    ("change", {}, ["done", "done"], "applied"),
    ("change", {}, ["failed", "waiting"], "failed"),
    ("change", {}, ["given_up", "done"], "applied"),
    ("change", {"state": "withdrawn"}, ["done"], "withdrawn"),
    # first activation, which starts now
    ("activation", {"first": True}, ["due~", "waiting", "waiting"], "in_progress"),
    ("activation", {"first": True}, ["failed~", "done", "done", "sending"], "in_progress"),
    ("activation", {"first": True}, ["failed~", "done", "done", "done", "retrying~"], "active"),
    ("activation", {"first": True}, ["done", "failed"], "failed"),
    ("activation", {"first": True, "state": "rejected"}, ["done", "done"], "rejected"),
    ("activation", {"first": True}, ["given_up", "done"], "active"),
    # first activation, which starts later
    ("activation", {"first": True, "start_at": TOMORROW}, ["done", "retrying", "waiting@start"], "in_progress"),
    ("activation", {"first": True, "start_at": TOMORROW}, ["done", "done", "waiting@start"], "scheduled"),
    ("activation", {"first": True, "start_at": NOW}, ["done", "done", "waiting@start"], "scheduled"),
    ("activation", {"first": True, "start_at": NOW}, ["done", "done", "due@start"], "scheduled"),
    ("activation", {"first": True, "start_at": NOW}, ["done", "done", "retrying@start"], "scheduled"),
    ("activation", {"first": True, "start_at": NOW}, ["done", "done", "failed@start"], "failed"),
    ("activation", {"first": True, "start_at": NOW}, ["done", "done", "done@start"], "active"),
    # subsequent activation
    ("activation", {"first": False}, ["due", "waiting@approval"], "in_progress"),
    ("activation", {"first": False}, ["done", "waiting@approval"], "awaiting_approval"),
    ("activation", {"first": False, "decision": "pass"}, ["done", "waiting@approval"], "in_progress"),
    ("activation", {"first": False, "decision": "pass"}, ["done", "retrying@approval"], "in_progress"),
    ("activation", {"first": False, "decision": "pass"}, ["done", "done@approval"], "active"),
    ("activation", {"first": False, "decision": "pass", "start_at": TOMORROW}, ["done", "done@approval"], "scheduled"),
    ("activation", {"first": False, "decision": "pass", "start_at": NOW}, ["done", "done@approval"], "active"),
    ("activation", {"first": False}, ["done", "done"], "awaiting_approval"),  # billed without waiting for the approval
    # the rejection came too late
    ("activation", {"first": False, "decision": "reject"}, ["done", "done@approval"], "active"),
    ("activation", {"first": False}, ["done", "due@approval"], "in_progress"),  # billing after the approval has begun
    # whatever the state of the steps
    ("activation", {"first": True, "held_because": "files"}, ["retrying", "waiting"], "held"),
    ("activation", {"first": True, "state": "compensating", "undo_since": NOW}, ["failed"], "compensating"),
    ("activation", {"first": True, "state": "rejected", "undo_since": NOW}, ["done", "closed"], "rejected"),
    ("activation", {"first": True, "state": "failed", "undo_since": NOW}, ["undone", "closed"], "failed"),
]


@pytest.mark.parametrize("kind, fields, steps, state", STATES)
def test_the_state_of_an_order_is(kind, fields, steps, state):
    order = Order(**{"kind": kind, "state": "in_progress", **fields})
    assert derive_state(order, facts(*steps), now=NOW) == state


# Every allowed change, by kind and by the state before it. All others are forbidden.
WAYS = {
    "trial": {
        "in_progress": "held failed trialing converted ended compensating withdrawn",
        "held": "in_progress failed trialing compensating withdrawn",
        "failed": "in_progress held trialing converted ended compensating withdrawn",
        "trialing": "in_progress failed converted ended compensating withdrawn",
        "converted": "trialing ended withdrawn",
        "ended": "trialing converted compensating withdrawn",
        "compensating": "failed rejected withdrawn",
        "withdrawn": "converted",
    },
    "change": {
        "in_progress": "held failed applied compensating withdrawn",
        "held": "in_progress failed applied compensating withdrawn",
        "failed": "in_progress held applied compensating withdrawn",
        "applied": "in_progress compensating withdrawn",
        "compensating": "failed rejected withdrawn",
        "withdrawn": "",
    },
    "activation": {
        "in_progress": "held awaiting_approval scheduled active rejected failed compensating withdrawn",
        "held": "in_progress awaiting_approval scheduled active rejected failed compensating withdrawn",
        "awaiting_approval": "in_progress held scheduled active rejected failed compensating withdrawn",
        "scheduled": "in_progress held awaiting_approval active rejected failed compensating withdrawn",
        "active": "in_progress rejected failed compensating withdrawn",
        "rejected": "in_progress held compensating withdrawn",
        "failed": "in_progress held awaiting_approval scheduled active rejected compensating withdrawn",
        "compensating": "failed rejected withdrawn",
        "withdrawn": "",
    },
}


@pytest.mark.parametrize("kind, old", [(kind, old) for kind in WAYS for old in Order.State.values])
def test_there_are_these_ways_and_no_others(kind, old):
    """Exactly the changes in WAYS are allowed. A state that no order of the kind can have allows none."""
    assert {new for new in Order.State.values if may_move(kind, old, new)} == set(WAYS[kind].get(old, "").split())


@pytest.mark.parametrize("kind", Order.Kind.values)
def test_nothing_comes_back_from_withdrawn_and_nothing_moves_to_itself(kind):
    back = {state for state in Order.State.values if may_move(kind, "withdrawn", state)}
    # when staff let an activation of a withdrawn trial proceed
    assert back == ({"converted"} if kind == "trial" else set())
    assert not any(may_move(kind, state, state) for state in Order.State.values)
    assert set(MOVES[kind]) | {new for news in MOVES[kind].values() for new in news} <= set(Order.State.values)


def made(kind="activation", **fields):
    return Order(number="A1", kind=kind, **fields)


def test_a_move_that_the_contract_does_not_know_is_refused():
    order = made(state="withdrawn")
    with pytest.raises(ForbiddenMoveError, match="activation A1 can't go from withdrawn to active"):
        set_state(order, "active", at=None)
    assert order.state == "withdrawn"


def test_staying_is_no_move():
    assert set_state(made(state="withdrawn"), "withdrawn", at=None) == "withdrawn"


def test_what_is_being_undone_can_not_be_held():
    with pytest.raises(ForbiddenMoveError):
        set_held(made(state="in_progress", undo_since=NOW), "files")


def test_only_activations_are_decided_about():
    with pytest.raises(ForbiddenMoveError):
        set_decision(made("trial", state="trialing"), "pass", at=NOW)


def test_an_order_is_undone_once_and_opened_only_when_that_is_over():
    order = made(state="compensating", undo_since=NOW)
    for since in (NOW, None):
        with pytest.raises(ForbiddenMoveError):
            set_undo_mark(order, since)
    order = made(state="failed", undo_since=NOW)
    set_undo_mark(order, None)
    assert order.undo_since is None
