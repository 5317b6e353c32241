"""Records how attempts ended, updates their steps and billing records, and lets the next steps begin (contract 3.3,
3.5, 3.9).

The records' times follow from T. They are in the frozen payload. They are written to the records when the partner has
accepted it, or may have. A refused step leaves its records as they were.
"""

import copy
import datetime
from collections.abc import Iterable

from django.db import transaction

from orders.attachments.check import UNCHECKED
from orders.books.held_records import TAKEN, as_meant, by_identity, identity, owner, records_of, take_record
from orders.db.compiled_sql import Prepared, insert_rows, update_rows
from orders.db.expressions import OneOf
from orders.history.order_writes import add_event, add_events, event, load_records, lock_orders
from orders.models import Attempt, BillingRecord, Dispatch, Order, OrderEvent
from orders.outbox.effects import OF_START, late_calls, may_act_until
from orders.outbox.enqueue import build_replacement, enqueue
from orders.outbox.freeze import LEFT, WAS_IN, apply_fix, set_times
from orders.outbox.leases import hand_back, still_held
from orders.outbox.outcome import IN_A_ROW, LOOK_UP, NOT_UNDERSTOOD, UNANSWERED, UNPROVEN, WORKER_DIED, Outcome
from orders.outbox.proof import (
    asks_proof,
    hold,
    is_in_run,
    is_never_repeated,
    is_proven,
    keep_answer,
    kind_of,
    lock_refused,
    note_proofs,
    say_doubt,
)
from orders.outbox.retry_schedule import next_try, try_again
from orders.rules.steps import DELETIONS, REST, STEPS, Phase
from orders.sending.follow_up import move_on
from orders.sending.usage import usage_rows
from orders.start_day.move_answers import settle_move
from orders.start_day.moving import is_over
from orders.texts.error_messages import say_why_in_english

State, Step, Channel, Result = Dispatch.State, Dispatch.Step, Dispatch.Channel, Attempt.Outcome
TIMES = {"createTime", "cancelTime", "cancelStatus", LEFT, WAS_IN}  # accepted values that a step of ours replaces
WRITTEN = ["state", "dispatch", "create_time", "cancel_time", "cancelled_at", "accepted"]
ORDERS_OF = Prepared(
    lambda: Dispatch.objects.filter(OneOf("pk", "ids")).order_by().values_list("order_id", "order__trial_id")
)
LOCKED = Prepared(
    lambda: Dispatch.objects.filter(OneOf("pk", "ids")).order_by("pk").select_for_update(no_key=True).defer("payload")
)
ROW = [
    "state", "lease_token", "next_try_at", "attempts", "tries_left", "error_code", "error", "definite", "done_at",
    "may_have_acted", "error_params", "unanswered_at",
]  # fmt: skip


def record_outcomes(outcomes: Iterable[Outcome], *, now: datetime.datetime, by: str = "worker") -> int:
    """Saves outcomes in one transaction; returns how many steps became due. One without our lease is late (fencing)."""
    outcomes = {outcome.dispatch_id: outcome for outcome in outcomes}
    with transaction.atomic():
        rows = _locked_rows(outcomes)
        ours = still_held(rows, outcomes)
        ended = [Attempt(id=outcomes[pk].attempt_id, **_ending(outcomes[pk], outcomes[pk].result, now)) for pk in ours]
        update_rows(ended, ["finished_at", "outcome", "http_status", "answer", "error_code", "error"])
        for pk, outcome in outcomes.items():
            if pk not in ours and outcome.result != Result.LOST:  # a lost one has been settled meanwhile
                _note_late(outcome, rows.get(pk), now, by)
        return _apply(ours, outcomes, now, by) if ours else 0


def record_read_again(row: Dispatch, outcome: Outcome, *, now: datetime.datetime, by: str) -> None:
    """Settles a failed step (its order and trial locked) by what its kept answer means now, without a call."""
    [locked] = LOCKED(ids=[row.pk])
    locked.order = row.order
    _apply({row.pk: locked}, {row.pk: outcome}, now, by)


def _locked_rows(outcomes: dict[int, Outcome]) -> dict[int, Dispatch]:
    """Locks orders first, then their dispatches, in the same sequence as everywhere."""
    orders = lock_orders({pk for pair in ORDERS_OF(ids=outcomes) for pk in pair if pk})
    found = {}
    for row in LOCKED(ids=outcomes):
        row.order = orders[row.order_id]
        found[row.pk] = row
    return found


def _ending(outcome: Outcome, result: str, now: datetime.datetime) -> dict:
    unclear = result == Result.RETRY and outcome.not_understood
    return {
        "finished_at": now,
        "outcome": Result.NOT_UNDERSTOOD if unclear else result,
        "http_status": outcome.http_status,
        "answer": outcome.answer,
        "error_code": outcome.code[:32],
        "error": outcome.logged,
    }


def _note_late(outcome: Outcome, row: Dispatch | None, now: datetime.datetime, by: str) -> None:
    """Keeps an answer that came too late. It plans nothing. An attempt that was closed as lost stays closed."""
    Attempt.objects.filter(pk=outcome.attempt_id, outcome=Result.OPEN).update(**_ending(outcome, Result.LATE, now))
    if row is None:
        return
    add_event(row.order, "late_answer", by=by, now=now, step=row.step, result=outcome.result, code=outcome.code)
    process = outcome.data.get("process", "")[:128]
    if process:
        Order.objects.filter(pk=row.order_id, bpm_process="").update(bpm_process=process)


def _apply(rows: dict[int, Dispatch], outcomes: dict[int, Outcome], now: datetime.datetime, by: str) -> int:
    events, fit = [], fitting(rows.values(), outcomes)
    lock_refused(rows.values(), outcomes)
    for pk, row in rows.items():
        _settle_row(row, outcomes[pk], now, fits=pk in fit)
        keep_answer(row, outcomes[pk], now)
        if _is_looked_up(row, outcomes[pk]):
            _send_what_is_live(row, outcomes[pk], now)
        if outcomes[pk].result != Result.HANDED_BACK:  # a step that was handed back was not called, so nothing is known
            row.lost = 0
        events += _events_of(row, outcomes[pk], now, by)
    note_proofs(rows.values(), outcomes, now=now, by=by)
    update_rows(rows.values(), [*ROW, "lost"])
    add_events(events)
    write_results(rows.values(), outcomes, now=now)
    return move_on(rows.values(), outcomes, now=now, by=by)


def _settle_row(row: Dispatch, outcome: Outcome, now: datetime.datetime, *, fits: bool) -> None:
    """Sets the dispatch's state. `fits`: the partner acted on it before, and its records are as the step means them."""
    row.lease_token = None
    if outcome.code != UNCHECKED or row.order.held_because != Order.Held.FILES:  # what was found before stands
        row.error_code, row.error, row.error_params = outcome.code[:32], outcome.message, outcome.params
    row.may_have_acted |= outcome.unknown or outcome.result in {Result.OK, Result.ACTED_BEFORE}
    row.unanswered_at = now if outcome.unknown else row.unanswered_at
    if outcome.result == Result.OK or fits:
        row.state, row.done_at, row.next_try_at, row.definite = State.DONE, now, None, True
    elif outcome.result == Result.HANDED_BACK:
        hand_back(row, now)
    elif outcome.result == Result.HELD:
        row.state, row.next_try_at = State.RETRYING, next_try("wrong_files", now)
    elif outcome.result == Result.RETRY and not _ends_at_once(row, outcome) and _goes_on(row, outcome, now):
        pass
    else:
        row.state, row.next_try_at = State.FAILED, None
        if doubt := _doubt_of(row, outcome):
            row.error_code = doubt
            row.may_have_acted = True
            if doubt != LOOK_UP and (said := say_doubt(row, outcome)):
                row.error, row.error_params = say_why_in_english(said), said
            if doubt != LOOK_UP and outcome.read in {"refused", NOT_UNDERSTOOD} and _is_unproven(row):
                hold(row, kind_of(row), doubt, outcome.logged, now=now)
        row.definite = outcome.result == Result.REFUSED and not doubt
        # If attempts ended without a definite answer, nobody knows what they did at the big-data side.
        row.may_have_acted |= not row.definite and row.channel == Channel.BILLING
        if row.step == Step.MOVE_START and not row.repeat:
            settle_move(row)
    if (row.order.undo_since and not _still_wanted(row)) or _is_taken_over(row):
        row.state, row.next_try_at = State.CLOSED, None


def _doubt_of(row: Dispatch, outcome: Outcome) -> str:
    """Why nobody may undo anything for a step that gives up: the code of its doubt; empty if there is none (7.2)."""
    if outcome.result == Result.LOST:
        return UNANSWERED if is_never_repeated(row.step) else ""
    if _must_look(outcome) and row.step != Step.MOVE_START:  # which plans a question of its own (3.9, 18)
        return LOOK_UP
    if row.repeat or row.step == Step.MOVE_START or outcome.result not in {Result.RETRY, Result.REFUSED}:
        return ""
    if "held" in outcome.data and not row.about.get("again"):
        return ""  # the partner's books decide
    if outcome.not_understood or row.tries.filter(outcome=Result.NOT_UNDERSTOOD).exists():
        return NOT_UNDERSTOOD
    if row.step == Step.START_BPM and row.unanswered_at:
        return UNANSWERED
    kind = kind_of(row) if outcome.read == "refused" and asks_proof() else ""
    if not kind:
        return ""
    return UNPROVEN if not is_proven(kind) else IN_A_ROW if is_in_run(kind, outcome) else ""


def _is_unproven(row: Dispatch) -> bool:
    """Whether no success has shown yet how the partner answers such a step."""
    return asks_proof() and bool(kind := kind_of(row)) and not is_proven(kind)


def _ends_at_once(row: Dispatch, outcome: Outcome) -> bool:
    """Whether what failed for now is not tried again: the desk must learn first how this call is answered, or BPM
    might start a second process."""
    doubt = (outcome.not_understood and _is_unproven(row)) or (outcome.unknown and is_never_repeated(row.step))
    return doubt or _must_look(outcome)


def _must_look(outcome: Outcome) -> bool:
    """Whether only a person can learn what the partner holds (contract 7.2)."""
    return outcome.code == LOOK_UP or bool(outcome.data.get(LOOK_UP))


def _goes_on(row: Dispatch, outcome: Outcome, now: datetime.datetime) -> bool:
    return try_again(row, outcome, now) and not _comes_too_late(row)


def _comes_too_late(row: Dispatch) -> bool:
    """Whether the next try of a move would end too near to the start (contract 3.9, 18)."""
    return row.step == Step.MOVE_START and not row.repeat and is_over(row, row.next_try_at)


def _is_taken_over(row: Dispatch) -> bool:
    """Whether a withdrawal of the trial has taken over what a change's step takes back (contract 3.9, Resend)."""
    trial = row.order.trial
    over = row.undo and row.lane is not None and row.order.kind == Order.Kind.CHANGE and trial.undo_since is not None
    return over and row.state in {State.FAILED, State.RETRYING, State.DUE}


def _is_looked_up(row: Dispatch, outcome: Outcome) -> bool:
    """Whether a cancel was refused, and the partner was asked what it holds (contract 3.9, 19)."""
    refused = outcome.result == Result.REFUSED and "held" in outcome.data
    goes_on = row.undo or row.order.undo_since is None
    return refused and goes_on and row.state == State.FAILED and not row.repeat


def _send_what_is_live(row: Dispatch, outcome: Outcome, now: datetime.datetime) -> None:
    """Settles a refused cancel by the partner's books. Records that are not live there are done; of a deletion that was
    posted, those that are absent. The others go out once more under a new key; only that refusal counts."""
    records, there = load_records(row.records), by_identity(outcome.data["held"])
    found = {pk: there.get(identity(records[pk], owner(row, records[pk]))) for pk in row.records}
    gone = [pk for pk, one in found.items() if one is None or not (one.live or row.step in DELETIONS)]
    for pk in gone:
        take_record(records[pk], found[pk])
    update_rows([records[pk] for pk in gone], TAKEN)
    code = row.error_code
    row.error_code, row.error, row.error_params = "", "", {}
    if len(gone) == len(row.records) and row.step in DELETIONS:  # what follows knows whether one may still be made
        row.state, row.done_at = State.DONE, now
        return
    row.records = [pk for pk in row.records if pk not in gone]
    row.size = len(row.records)
    Dispatch.objects.filter(pk=row.pk).update(records=row.records, size=row.size)
    if not row.records:
        row.state, row.done_at = State.DONE, now
        return
    if row.about.get("again"):
        row.error_code, row.error, row.error_params = code, outcome.message, outcome.params
        return
    row.state = State.CLOSED
    Dispatch.objects.filter(pk=row.pk).update(superseded=True)
    again = build_replacement(row, now=now)
    again.about, again.blocking = again.about | {"again": True}, row.blocking
    if REST in row.about:  # only what this call was about counts as refused once
        again.about, again.records, again.size = again.about | {REST: row.about[REST]}, row.records, len(row.records)
    if row.lane is None:  # else a late call would have the last word
        again.next_try_at = may_act_until(late_calls(orders=[row.order_id], now=now)) or now
    enqueue([again])


def _still_wanted(row: Dispatch) -> bool:
    """Whether a step still goes on although its order has an undo mark.

    Undo steps do, questions for traffic, and billing calls of unknown outcome. Any other call that was in the air is
    closed, even if it failed. No incident is opened for it, so it must not be shown as failed.
    """
    if row.state == State.DONE or row.undo or row.position >= Phase.AFTER:
        return True
    if row.about.keys() & OF_START:
        return False
    if row.state == State.FAILED:
        return not STEPS[row.step].moot
    return row.channel == Channel.BILLING and row.may_have_acted


def _events_of(row: Dispatch, outcome: Outcome, now: datetime.datetime, by: str) -> list[OrderEvent]:
    kinds = {State.DONE: "step_done", State.FAILED: "step_failed", State.RETRYING: "step_retrying"}
    if outcome.result in {Result.HANDED_BACK, Result.HELD} or outcome.code == UNCHECKED or row.state not in kinds:
        return []
    about = {"step": row.step, "code": outcome.code, "message": outcome.message} if outcome.code else {"step": row.step}
    about |= {"params": outcome.params} if outcome.params else {}
    return [event(row.order, kinds[row.state], by=by, now=now, **about)]


def note_losses(rows: list[Dispatch], now: datetime.datetime) -> None:
    """Notes that rows whose lease ran out may have acted, unsaved, and ends their open attempts as lost."""
    if not rows:
        return
    attempts = Attempt.objects.filter(dispatch__in=rows, outcome=Result.OPEN)
    attempts.update(outcome=Result.LOST, finished_at=now, error=WORKER_DIED)
    for row in rows:
        row.may_have_acted, row.unanswered_at = True, now


def write_results(rows: Iterable[Dispatch], outcomes: dict[int, Outcome], *, now: datetime.datetime) -> None:
    """Saves the results of calls: billing records' states, BPM's process, traffic."""
    done = [row for row in rows if row.state == State.DONE]
    _write_records(done, [row for row in rows if row.state == State.FAILED], outcomes)
    for row in done:
        if row.step == Step.MOVE_ATTRIBUTION:  # so that a comparison under way notices
            rows_of = BillingRecord.objects.filter(pk__in=row.about["fixes"], state=BillingRecord.State.LIVE)
            rows_of.update(dispatch=row)
    _write_usage([row for row in done if row.step == Step.FETCH_USAGE], outcomes, now)
    begun = [row.order for row in done if row.step == Step.START_BPM]
    for row in done:
        if row.step == Step.START_BPM:
            process = outcomes[row.pk].data.get("process", "")[:128]
            row.order.bpm_process = process or row.order.bpm_process
    update_rows(begun, ["bpm_process"])


def _write_records(done: list[Dispatch], failed: list[Dispatch], outcomes: dict[int, Outcome]) -> None:
    """A definite answer settles a record. Attempts that ended without one leave it unknown (contract 3.9, Unknown).

    If a repeat is refused, the record stays unknown too, since the refusal says nothing about an earlier attempt whose
    answer was lost. A forced repeat changes nothing, since the earlier acceptance stands.
    """
    settled = [row for row in done if STEPS[row.step].timed and not row.repeat]
    unsure = [row for row in failed if not row.repeat and row.may_have_acted]
    repeated = [row for row in done if STEPS[row.step].timed and row.repeat]
    mended = [row for row in done if row.about.get("sent")]
    touched = load_records(
        {pk for row in [*settled, *unsure, *repeated] for pk in row.records}
        | {int(pk) for row in mended for pk in row.about["sent"]}
    )
    for row in mended:
        apply_fix(row, touched)
    for row in repeated:
        take_times(row, touched, outcomes[row.pk])  # if the partner acted on that key before, its times may differ
    for row in settled:
        set_times(row, touched)
        _mark(row, touched, STEPS[row.step].leaves)
        take_times(row, touched, outcomes[row.pk])
    for row in unsure:  # what is known of a record's times stays: nobody knows whether it got others
        set_times(row, {pk: touched[pk] for pk in row.records if touched[pk].create_time is None})
        _mark(row, touched, BillingRecord.State.UNKNOWN)
    update_rows(touched.values(), WRITTEN if _drop_accepted(settled, touched) else WRITTEN[:-1])


def _drop_accepted(rows: Iterable[Dispatch], records: dict[int, BillingRecord]) -> bool:
    """Drops accepted times that a step of ours has set since. Whether any record has accepted values."""
    if not any(record.accepted for record in records.values()):
        return False
    settled = [records[pk] for row in rows for pk in row.records]
    for record in settled:
        gone = TIMES | {"province"} if WAS_IN in record.accepted else TIMES
        record.accepted = {name: value for name, value in record.accepted.items() if name not in gone}
    return bool(settled)


def _mark(row: Dispatch, records: dict[int, BillingRecord], state: str) -> None:
    for pk in row.records:
        records[pk].state, records[pk].dispatch = state, row


def _write_usage(rows: list[Dispatch], outcomes: dict[int, Outcome], now: datetime.datetime) -> None:
    kept = []
    for row in rows:
        kept += usage_rows(row.order.trial_id or row.order_id, outcomes[row.pk].data.get("usage", []), now)
    insert_rows(kept)


def fitting(rows: Iterable[Dispatch], outcomes: dict[int, Outcome]) -> set[int]:
    """The dispatches that the partner acted on before, and whose records, if any, it holds as the steps mean them."""
    asked = [row for row in rows if outcomes[row.pk].result == Result.ACTED_BEFORE]
    records = load_records({pk for row in asked for pk in records_of(row)})
    return {row.pk for row in asked if _fits(row, records, outcomes[row.pk])}


def _fits(row: Dispatch, records: dict[int, BillingRecord], outcome: Outcome) -> bool:
    if row.channel != Dispatch.Channel.BILLING:
        return True
    mine = [copy.copy(records[pk]) for pk in records_of(row)]
    set_times(row, {record.pk: record for record in mine})
    return as_meant(row, mine, outcome.data.get("held", []))


def take_times(row: Dispatch, records: dict[int, BillingRecord], outcome: Outcome) -> None:
    """Gives records the partner's times and state, if it had carried out their step before. Does not save them."""
    if outcome.result != Result.ACTED_BEFORE:
        return
    there = by_identity(outcome.data.get("held", []))
    for pk in row.records:
        record = records[pk]
        if one := there.get(identity(record, owner(row, record))):
            take_record(record, one)
