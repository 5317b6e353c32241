"""The ladder of an order: received, stored, files, billing, BPM, approval, start day, live (and undoing). Pure.

Builds rungs from the order and its steps. Exactly one rung is the current one.
"""

from dataclasses import replace
from functools import partial

from orders.incidents.order_warnings import STOPPED_STATES
from orders.models import Order
from orders.order_words.ladder.ending import approval_rung, live_rung, not_fine, start_day_rung, undone_rung
from orders.order_words.ladder.step_rungs import (
    Facts,
    Rung,
    billing_rung,
    bpm_rung,
    files_rung,
    other_rung,
    received_rung,
    stored_rung,
)
from orders.rules.steps import OTHER_CHANNELS

SHORT = (received_rung, stored_rung, billing_rung, live_rung)
ASKS_FIRST = (received_rung, stored_rung, files_rung, billing_rung, bpm_rung, approval_rung, start_day_rung, live_rung)
BILLED_LAST = (received_rung, stored_rung, files_rung, bpm_rung, approval_rung, billing_rung, start_day_rung, live_rung)
URGENCY = ("red", "amber", "violet", "blue")
PASSED = {"green", "none"}
NOT_FINE = {"red", "amber"}


def build_ladder(facts: Facts) -> list[Rung]:
    """Returns the order's rungs, one of them `current`. An order that is not fine has a red or amber one."""
    makers = [*_makers(facts), *([undone_rung] if facts.order.undo_since else [])]
    rungs = [make(facts) for make in makers]
    if facts.open.number:  # no rung is green while there are differences
        rungs = [replace(rung, tone="none") if rung.tone == "green" else rung for rung in rungs]
    mending = facts.open.number > 0 and facts.open.mending == facts.open.number  # its rung shows it
    fine = (facts.marks.fine or mending) and facts.order.state not in STOPPED_STATES
    if not fine and not any(rung.tone in NOT_FINE for rung in rungs):
        rungs[-1] = not_fine(rungs[-1], facts)
    here = _current(rungs, facts.order)
    return [replace(rung, current=rung.key == here) for rung in rungs]


def current(rungs: list[Rung]) -> Rung:
    return next(rung for rung in rungs if rung.current)


def _makers(facts: Facts) -> tuple:
    """Returns the functions that build the rungs.

    A subsequent activation that is billed after its approval has the rungs in that order. Calls on other channels get
    rungs before the start day or live rung.
    """
    makers: tuple = SHORT
    if facts.order.kind == Order.Kind.ACTIVATION:
        late = any(row.gate == "approval" for row in facts.steps if row.channel == "billing")
        makers = BILLED_LAST if late else ASKS_FIRST
    more = [
        partial(other_rung, channel) for channel in OTHER_CHANNELS if any(row.channel == channel for row in facts.steps)
    ]
    place = next(place for place, make in enumerate(makers) if make in {start_day_rung, live_rung})
    return (*makers[:place], *more, *makers[place:])


def _current(rungs: list[Rung], order: Order) -> str:
    """Returns the key of the current rung: the first with an error, else one waiting for a person, else running,
    else next.
    """
    if order.state in {Order.State.COMPENSATING, Order.State.WITHDRAWN} and order.undo_since:
        return rungs[-1].key
    for tone in URGENCY:
        for rung in rungs:
            if rung.tone == tone:
                return rung.key
    ahead = [rung for rung in rungs if rung.tone not in PASSED]
    return (ahead or rungs[-1:])[0].key
