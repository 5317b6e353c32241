"""What steps that ended brought about."""

import datetime
from collections.abc import Iterable

from orders.db.batches import load_rows
from orders.db.bulk_write import insert_rows, update_rows
from orders.models import BillingRecord, Dispatch
from orders.services.order_state import convert_trials
from orders.services.outbox.outcome import Outcome
from orders.services.outbox.record_times import set_times
from orders.services.reconciliation.held_records import take_times
from orders.services.usage import usage_rows
from orders.steps import STEPS

State, Step = Dispatch.State, Dispatch.Step
WRITTEN = ["state", "dispatch", "create_time", "cancel_time", "cancelled_at"]


def write_results(rows: Iterable[Dispatch], outcomes: dict[int, Outcome], *, now: datetime.datetime, by: str) -> None:
    """What steps that ended brought about: billing records' states, BPM's process, traffic, a trial taken over."""
    done = [row for row in rows if row.state == State.DONE]
    _write_records(done, [row for row in rows if row.state == State.FAILED], outcomes)
    _write_usage([row for row in done if row.step == Step.FETCH_USAGE], outcomes, now)
    begun = [row.order for row in done if row.step == Step.START_BPM]
    for row in done:
        if row.step == Step.START_BPM:
            process = outcomes[row.pk].data.get("process", "")[:128]
            row.order.bpm_process = process or row.order.bpm_process
    update_rows(begun, ["bpm_process"])
    convert_trials([row for row in done if row.step == Step.CANCEL_TRIAL], now=now, by=by)


def _write_records(done: list[Dispatch], failed: list[Dispatch], outcomes: dict[int, Outcome]) -> None:
    """A definite answer settles a record. Attempts that ended without one leave it unknown (contract 3.9, Unknown).

    So does the refusal of a repeat: it says nothing about an earlier attempt whose answer was lost. A forced repeat
    changes nothing: the earlier acceptance stands.
    """
    settled = [row for row in done if STEPS[row.step].timed and not row.repeat]
    unsure = [row for row in failed if not row.repeat and row.may_have_acted]
    repeated = [row for row in done if STEPS[row.step].timed and row.repeat]
    touched = load_rows(BillingRecord, {pk for row in [*settled, *unsure, *repeated] for pk in row.records})
    for row in repeated:
        take_times(row, touched, outcomes[row.pk])  # if it acted on that key before: its books are others now
    for row in settled:
        set_times(row, touched)
        _mark(row, touched, STEPS[row.step].leaves)
        take_times(row, touched, outcomes[row.pk])
    for row in unsure:
        set_times(row, touched)
        _mark(row, touched, BillingRecord.State.UNKNOWN)
    update_rows(touched.values(), WRITTEN)


def _mark(row: Dispatch, records: dict[int, BillingRecord], state: str) -> None:
    for pk in row.records:
        records[pk].state, records[pk].dispatch = state, row


def _write_usage(rows: list[Dispatch], outcomes: dict[int, Outcome], now: datetime.datetime) -> None:
    kept = []
    for row in rows:
        kept += usage_rows(row.order.trial_id or row.order_id, outcomes[row.pk].data.get("usage", []), now)
    insert_rows(kept)
