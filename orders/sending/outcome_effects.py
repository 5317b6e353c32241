"""The effects of a step's recorded outcome, as one table (contract 3.3, 3.5, 3.9).

`EFFECTS` has a rule for each effect, in the order of execution. docs/mechanisms/outbox.md shows that order.
"""

import datetime
import functools
import operator
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from orders.attachments.files_hold import end_files_hold, hold_for_files
from orders.books.differences import note_fixed
from orders.books.expected_records import note_not_meant
from orders.bpm.received_decisions import apply_early_decisions
from orders.db.compiled_sql import Prepared, ask_together
from orders.db.expressions import OneOf
from orders.history.order_locks_and_events import lock_orders, refresh_states
from orders.incidents.incidents import end_settled, lock_incidents
from orders.mails.mail_creation import ACCEPTED, tell_accepted
from orders.models import OF_START, AffectedOrder, Attempt, Dispatch, Order
from orders.models.querysets import STOPPED_BY
from orders.outbox.billing_effects import LateCall, as_late_calls, ask_for_late_calls, takes_back
from orders.outbox.enqueue import enqueue_next_parts
from orders.outbox.outcome import ACTED_BEFORE, Outcome
from orders.outbox.release_steps import release
from orders.replanning.giving_up import answer_given_up, complete_confirmed_removals, settle_given_up_orders
from orders.replanning.verify_unanswered_calls import answer_look, schedule_verification
from orders.rules.steps import FIXES, STEPS, Channel, Effect, Step, named
from orders.sending.record_updates import write_moved, write_processes, write_records
from orders.sending.step_incidents import (
    close_explained,
    end_troubles,
    note_acted_before,
    note_failure,
)
from orders.sending.trial_traffic import write_usage
from orders.start_day.move_start_outcomes import answer_move, answer_start, follow_move
from orders.trials.trial_state_writes import convert_trials
from orders.undoing.after_failed_step import compensate
from orders.undoing.finish import finish_undo, note_undone

ANY, DONE, FAILED, OVER = (
    frozenset(Dispatch.State.values),
    {Dispatch.State.DONE},
    {Dispatch.State.FAILED},
    {Dispatch.State.DONE, Dispatch.State.CLOSED},
)
ALL, COMPENSATED = frozenset(STEPS), named(compensated=True)
BILLING = {name for name in ALL if STEPS[name].channel == Channel.BILLING}
CHANGING = {name for name in BILLING if STEPS[name].effect not in {Effect.NONE, Effect.ASK, Effect.VERIFY}}
GIVEN_UP = Prepared(
    lambda: (
        Dispatch.objects.current()
        .filter(OneOf("order_id", "orders"), state=Dispatch.State.GIVEN_UP, undo=False)
        .order_by()
        .values_list("order_id")
    )
)
TROUBLES = Prepared(
    lambda: (
        AffectedOrder.objects.unresolved()
        .filter(OneOf("order_id", "orders"))
        .order_by()
        .values_list("order_id", STOPPED_BY, "incident__partner", "incident__code")
    )
)
ANSWERS = {"move": answer_move, "start_of": answer_start, "look": answer_look, "for": answer_given_up}
"""The function that processes the answer to each kind of query."""


@dataclass
class Recorded:
    """Outcomes that are recorded together, and the data shared by their effects.

    `said`: `now` and `by`, as keyword arguments. `orders`: the steps' orders by id. `troubled`: (order id, step name)
    pairs that have an open incident or failed in this batch. `late`: the calls that may still act on the records of
    done steps. `replanned`: True if an effect has planned orders again, so that these orders must be read again.
    `released`: the number of steps that became due.
    """

    outcomes: dict[int, Outcome]
    now: datetime.datetime
    said: dict
    orders: dict[int, Order]
    troubled: set[tuple[int, str]] = field(default_factory=set)
    late: list[LateCall] = field(default_factory=list)
    replanned: bool = False
    released: int = 0


class Rule(NamedTuple):
    """A row of the table. `act` is applied to the steps of a batch whose state, name and call result are in `states`,
    `steps` and `results`.

    `turn`: the position in the order of execution. An effect that is alone in its turn gets all its steps at once.
    Effects with the same turn run step by step. `repeat`, `undo`: accepted values of the step's fields. `whole`: the
    accepted values of a flag that is True if no further part of the step is to be sent.
    """

    turn: int
    states: Collection[str]
    steps: Collection[str]
    act: Callable[[list[Dispatch], Recorded], object]
    results: Collection[str] = frozenset(Attempt.Outcome.values)
    repeat: Collection[bool] = (True, False)
    undo: Collection[bool] = (True, False)
    whole: Collection[bool] = (True, False)


def _each(act: Callable[[Dispatch, Recorded], object]) -> Callable[[list[Dispatch], Recorded], object]:
    """Converts an effect on one step into an effect on a list of steps."""
    return lambda rows, batch: [act(row, batch) for row in rows]


def _look_at_troubles(rows: list[Dispatch], batch: Recorded) -> None:
    """Reads `troubled` and `late` in one round trip (contract 3.9, Unknown).

    Locks all incidents that are opened or closed for these steps together. If two batches locked the incidents one by
    one, the batches could wait for each other.
    """
    done = [row for row in rows if row.state == Dispatch.State.DONE]
    serial_trial_ids = {row.lane for row in done if row.lane}
    over = {row.order_id for row in rows if row.state in OVER} | serial_trial_ids
    found, late = [], []
    if done:
        orders = {row.order_id for row in done} | serial_trial_ids
        late_calls = ask_for_late_calls(orders=orders, serial_trial_ids=serial_trial_ids, now=batch.now)
        found, late = ask_together((TROUBLES, {"orders": over}), late_calls)
    elif over:
        found = TROUBLES(orders=over)
    failed = [row for row in rows if row.state == Dispatch.State.FAILED or row.channel == Channel.FILES]
    moves = [
        row for row in rows if row.step == Step.MOVE_START or row.step == Step.ASK_BILLING and row.question in OF_START
    ]
    stopping = {(STEPS[row.step].partner, "") for row in [*failed, *moves]}
    lock_incidents({(partner, code) for *_, partner, code in found} | stopping)
    batch.troubled = {(order, step) for order, step, *_ in found} | {(row.order_id, row.step) for row in failed}
    batch.late = as_late_calls(late)


def _take_answers(rows: list[Dispatch], batch: Recorded) -> None:
    batch.replanned = True
    for row in [row for row in rows if row.question]:
        ANSWERS[row.question](row, batch.outcomes[row.pk].data["held"], **batch.said)


def _settle_books(rows: list[Dispatch], batch: Recorded) -> None:
    """Completes given-up removals that our records now show as done. After a step that undoes something, also reports a
    trial's records that differ from the trial's shape."""
    named = {order for order, _ in batch.troubled}
    for row in rows:
        trial = row.order.trial or row.order
        if row.lane is None:  # commercial records: only a fix shows that another step's records are gone
            if STEPS[row.step].fix and row.order_id in named:
                batch.replanned |= complete_confirmed_removals(row.order, **batch.said)
            continue
        if row.state == Dispatch.State.DONE and row.rest:
            continue  # the next part of the step is under way
        moves = takes_back(row) or row.error_code == ACTED_BEFORE
        if moves or trial.pk in named:
            batch.replanned |= complete_confirmed_removals(trial, **batch.said)
            note_not_meant(trial, opens=moves, **batch.said)


def _settle_given_up(rows: list[Dispatch], batch: Recorded) -> None:
    """Settles the orders in a trial's line that also have a given-up step. Each order is settled by its last done
    step."""
    ended = {row.order_id: row for row in rows if row.lane}
    if given_up := [ended[pk] for pk in set(GIVEN_UP(orders=ended))] if ended else []:
        settle_given_up_orders(given_up, **batch.said)
        batch.replanned = True


def _read_orders_again(_rows: list[Dispatch], batch: Recorded) -> None:
    if batch.replanned:
        batch.orders = lock_orders({pk for one in batch.orders.values() for pk in (one.pk, one.trial_id) if pk})


def _release(rows: list[Dispatch], batch: Recorded) -> None:
    serial_trial_ids = {row.lane for row in rows if row.lane}
    batch.released = release(now=batch.now, order_ids={row.order_id for row in rows}, serial_trial_ids=serial_trial_ids)


def _end_settled(rows: list[Dispatch], batch: Recorded) -> None:
    """Closes the incidents that stopped orders. Runs last, since steps planned by earlier effects may keep these
    incidents open."""
    over = {row.order_id for row in rows} & {order for order, _step in batch.troubled}
    if over:
        end_settled([batch.orders[pk] for pk in over], **batch.said)


EFFECTS = (
    # The answer's data is saved. Records that the call did not carry become a step of their own.
    Rule(1, DONE | FAILED, BILLING, lambda rows, batch: write_records(rows, batch.outcomes)),
    Rule(2, DONE, {Step.MOVE_ATTRIBUTION}, lambda rows, batch: write_moved(rows)),
    Rule(3, DONE, {Step.FETCH_USAGE}, lambda rows, batch: write_usage(rows, batch.outcomes, now=batch.now)),
    Rule(4, DONE, {Step.START_BPM}, lambda rows, batch: write_processes(rows, batch.outcomes)),
    Rule(5, DONE, ALL, lambda rows, batch: enqueue_next_parts(rows, now=batch.now), whole={False}),
    # All incidents are locked at once. Failures follow: holds, moves of a start, incidents and compensation.
    Rule(6, ANY, ALL, _look_at_troubles),
    Rule(
        7,
        ANY,
        ALL,
        _each(lambda row, batch: hold_for_files(row, batch.outcomes[row.pk], **batch.said)),
        results={Attempt.Outcome.HELD},
    ),
    Rule(7, ANY, {Step.MOVE_START}, _each(lambda row, batch: follow_move(row, **batch.said)), repeat={False}),
    Rule(7, FAILED, ALL - {Step.MOVE_START}, _each(lambda row, batch: note_failure(row, **batch.said))),
    Rule(7, FAILED, {Step.MOVE_START}, _each(lambda row, batch: note_failure(row, **batch.said)), repeat={True}),
    Rule(7, FAILED, COMPENSATED, _each(lambda row, batch: compensate(row, **batch.said)), repeat={False}, undo={False}),
    # The incidents of done steps are closed. Holds are saved now, since planning other orders below reads the orders
    # again.
    Rule(8, DONE, {Step.CHECK_FILES}, _each(lambda row, batch: end_files_hold(row.order))),
    Rule(9, DONE, ALL, lambda rows, batch: end_troubles(rows, batch.troubled, **batch.said)),
    Rule(10, ANY, {Step.CHECK_FILES}, lambda rows, batch: refresh_states([row.order for row in rows], **batch.said)),
    # Effects of done steps: differences, events, mails, BPM's decisions that came before its answer.
    Rule(11, DONE, FIXES, lambda rows, batch: note_fixed(rows, **batch.said), whole={True}),
    Rule(
        12, DONE, ALL, lambda rows, batch: note_acted_before(rows, **batch.said), results={Attempt.Outcome.ACTED_BEFORE}
    ),
    Rule(13, DONE, {Step.CANCEL_TRIAL}, lambda rows, batch: close_explained(rows, **batch.said)),
    Rule(14, DONE, ACCEPTED, lambda rows, batch: tell_accepted(rows, now=batch.now), whole={True}),
    Rule(
        15,
        DONE,
        {Step.START_BPM},
        lambda rows, batch: apply_early_decisions([row.order for row in rows], now=batch.now),
        repeat={False},
    ),
    # The partner's records are processed: answers first, then their effects on undoing, trials and given-up steps.
    Rule(16, DONE, {Step.ASK_BILLING}, _take_answers),
    Rule(17, DONE, ALL, lambda rows, batch: note_undone(rows, now=batch.now), undo={True}, repeat={False}),
    Rule(
        18,
        DONE,
        {Step.CANCEL_TRIAL},
        lambda rows, batch: convert_trials(
            {row.order.trial_id: row.order.trial for row in rows if row.order.kind == Order.Kind.ACTIVATION},
            **batch.said,
        ),
        undo={False},
        whole={True},
    ),
    Rule(
        19,
        DONE,
        CHANGING - {Step.DELETE_BILLING},
        lambda rows, batch: schedule_verification(rows, batch.late, now=batch.now),
    ),
    Rule(20, OVER | FAILED, BILLING - {Step.ASK_BILLING}, _settle_books, repeat={False}),
    Rule(21, DONE, BILLING - {Step.ASK_BILLING}, _settle_given_up, undo={False}),
    # All is planned by now: the next steps become due, and orders get their states.
    Rule(22, ANY, ALL, _read_orders_again),
    Rule(23, OVER | FAILED, ALL, _release),
    Rule(
        24,
        ANY,
        ALL,
        lambda rows, batch: [finish_undo(one, **batch.said) for one in batch.orders.values() if one.undo_since],
    ),
    Rule(25, ANY, ALL, lambda rows, batch: refresh_states(batch.orders.values(), **batch.said)),
    Rule(26, OVER, ALL, _end_settled),
)


@functools.cache
def rules_for(*ended: object) -> tuple[Rule, ...]:
    """Returns the rules that match a step. `ended`: the step's state, name and call result, the step's `repeat` and
    `undo`, and `whole`."""
    return tuple(rule for rule in EFFECTS if all(map(operator.contains, rule[1:3] + rule[4:], ended)))


def carry_out(rows: Collection[Dispatch], outcomes: dict[int, Outcome], *, now: datetime.datetime, by: str) -> int:
    """Carries out the effects for steps that have their new states. The orders and trials of the steps must be locked.
    Returns the number of steps that became due."""
    batch = Recorded(outcomes, now, {"now": now, "by": by}, {row.order_id: row.order for row in rows})
    found = defaultdict(list)
    for row in rows:
        for rule in rules_for(row.state, row.step, outcomes[row.pk].result, row.repeat, row.undo, not row.rest):
            found[rule.turn].append((rule.act, row))
    for turn in sorted(found):
        for act, pairs in groupby(found[turn], key=operator.itemgetter(0)):
            act([row for _act, row in pairs], batch)
    return batch.released
