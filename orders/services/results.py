"""What steps that ended brought about."""

import datetime
from collections.abc import Iterable

from orders.models import BillingRecord, Dispatch
from orders.rows import insert_rows, update_rows
from orders.services.outcome import Outcome
from orders.services.progress import convert_trials
from orders.services.usage import usage_rows

State, Step = Dispatch.State, Dispatch.Step
RECORD_STATES = {
    Step.CREATE_TRIAL: BillingRecord.State.LIVE,
    Step.CREATE_BILLING: BillingRecord.State.LIVE,
    Step.RESTORE_TRIAL: BillingRecord.State.LIVE,
    Step.CANCEL_TRIAL: BillingRecord.State.CANCELLED,
}


def write_results(rows: Iterable[Dispatch], outcomes: dict[int, Outcome], *, now: datetime.datetime, by: str) -> None:
    """What steps that ended brought about: billing records' states, BPM's process, traffic, a trial taken over."""
    done = [row for row in rows if row.state == State.DONE]
    _write_records(done, [row for row in rows if row.state == State.FAILED])
    _write_usage([row for row in done if row.step == Step.FETCH_USAGE], outcomes, now)
    begun = [row.order for row in done if row.step == Step.START_BPM]
    for row in done:
        if row.step == Step.START_BPM:
            row.order.bpm_process = outcomes[row.pk].data.get("process", "")[:128]
    update_rows(begun, ["bpm_process"])
    convert_trials([row for row in done if row.step == Step.CANCEL_TRIAL], now=now, by=by)


def _write_records(done: list[Dispatch], failed: list[Dispatch]) -> None:
    """A definite answer settles a record. Attempts that ended without one leave it unknown (contract 3.9, Unknown).

    So does the refusal of a repeat: it says nothing about an earlier attempt whose answer was lost.
    """
    records = [
        BillingRecord(pk=pk, state=RECORD_STATES[row.step], dispatch=row)
        for row in done
        if row.step in RECORD_STATES
        for pk in row.records
    ]
    records += [
        BillingRecord(pk=pk, state=BillingRecord.State.UNKNOWN, dispatch=row)
        for row in failed
        if not row.definite or row.attempts > 1
        for pk in row.records
    ]
    update_rows(records, ["state", "dispatch"])


def _write_usage(rows: list[Dispatch], outcomes: dict[int, Outcome], now: datetime.datetime) -> None:
    kept = []
    for row in rows:
        kept += usage_rows(row.order.trial_id or row.order_id, outcomes[row.pk].data.get("usage", []), now)
    insert_rows(kept)
