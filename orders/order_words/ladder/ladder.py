"""The ladder of an order: received, stored, files, billing, BPM, approval, start day, live (and undoing). Pure.

Builds stages from the order and its steps. Exactly one stage is the current one.
"""

from dataclasses import replace
from functools import partial

from orders.incidents.order_warnings import STOPPED_STATES
from orders.models import Order
from orders.order_words.ladder.ending import approval_stage, live_stage, not_fine, start_day_stage, undone_stage
from orders.order_words.ladder.step_stages import (
    Facts,
    Stage,
    billing_stage,
    bpm_stage,
    files_stage,
    other_stage,
    received_stage,
    stored_stage,
)
from orders.rules.steps import OTHER_CHANNELS

SHORT = (received_stage, stored_stage, billing_stage, live_stage)
ASKS_FIRST = (
    received_stage,
    stored_stage,
    files_stage,
    billing_stage,
    bpm_stage,
    approval_stage,
    start_day_stage,
    live_stage,
)
BILLED_LAST = (
    received_stage,
    stored_stage,
    files_stage,
    bpm_stage,
    approval_stage,
    billing_stage,
    start_day_stage,
    live_stage,
)
URGENCY = ("red", "amber", "violet", "blue")
PASSED = {"green", "none"}
NOT_FINE = {"red", "amber"}


def build_ladder(facts: Facts) -> list[Stage]:
    """Returns the order's stages, one of them `current`. An order that is not fine has a red or amber one."""
    makers = [*_makers(facts), *([undone_stage] if facts.order.undo_since else [])]
    stages = [make(facts) for make in makers]
    if facts.open.number:  # no stage is green while there are differences
        stages = [replace(stage, tone="none") if stage.tone == "green" else stage for stage in stages]
    mending = facts.open.number > 0 and facts.open.mending == facts.open.number  # its stage shows it
    fine = (facts.marks.fine or mending) and facts.order.state not in STOPPED_STATES
    if not fine and not any(stage.tone in NOT_FINE for stage in stages):
        stages[-1] = not_fine(stages[-1], facts)
    here = _current(stages, facts.order)
    return [replace(stage, current=stage.key == here) for stage in stages]


def current(stages: list[Stage]) -> Stage:
    return next(stage for stage in stages if stage.current)


def _makers(facts: Facts) -> tuple:
    """Returns the functions that build the stages.

    A subsequent activation that is billed after its approval has the stages in that order. Calls on other channels get
    stages before the start day or live stage.
    """
    makers: tuple = SHORT
    if facts.order.kind == Order.Kind.ACTIVATION:
        late = any(row.gate == "approval" for row in facts.steps if row.channel == "billing")
        makers = BILLED_LAST if late else ASKS_FIRST
    more = [
        partial(other_stage, channel)
        for channel in OTHER_CHANNELS
        if any(row.channel == channel for row in facts.steps)
    ]
    place = next(place for place, make in enumerate(makers) if make in {start_day_stage, live_stage})
    return (*makers[:place], *more, *makers[place:])


def _current(stages: list[Stage], order: Order) -> str:
    """Returns the key of the current stage: the first with an error, else one waiting for a person, else running,
    else next.
    """
    if order.state in {Order.State.COMPENSATING, Order.State.WITHDRAWN} and order.undo_since:
        return stages[-1].key
    for tone in URGENCY:
        for stage in stages:
            if stage.tone == tone:
                return stage.key
    ahead = [stage for stage in stages if stage.tone not in PASSED]
    return (ahead or stages[-1:])[0].key
