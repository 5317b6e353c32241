"""Updates records after calls: billing records' states and times, BPM's process, the partner's records (contract 3.3,
3.5, 3.9).

The records' times follow from T and are part of the frozen payload. The times are saved to the records when the partner
has accepted the payload, or may have accepted it. A refused step leaves its records unchanged.
"""

import copy
import datetime
from collections.abc import Iterable

from orders.books.held_records import TAKEN, as_meant, by_identity, identity, owner, records_of, take_record
from orders.db.compiled_sql import update_rows
from orders.history.order_locks_and_events import load_records
from orders.models import Attempt, BillingRecord, Dispatch
from orders.outbox.billing_effects import late_calls, may_act_until
from orders.outbox.enqueue import build_replacement, enqueue
from orders.outbox.outcome import Outcome
from orders.outbox.record_selection import LEFT, WAS_IN, apply_fix, set_times
from orders.rules.steps import DELETIONS, STEPS, Step

TIMES = {"createTime", "cancelTime", "cancelStatus", LEFT, WAS_IN}  # accepted values that our steps replace
WRITTEN = ["state", "dispatch", "create_time", "cancel_time", "cancelled_at", "accepted"]


def write_records(rows: Iterable[Dispatch], outcomes: dict[int, Outcome]) -> None:
    """Saves the effects of steps on records. A definite answer settles a record. Attempts that ended without a definite
    answer leave the record unknown (contract 3.9, Unknown).

    `rows`: steps that are done or have failed. If a repeat is refused, the record also stays unknown, since the refusal
    says nothing about an earlier attempt whose answer was lost. A forced repeat changes nothing, since the earlier
    acceptance remains valid.
    """
    done = [row for row in rows if row.state == Dispatch.State.DONE]
    settled = [row for row in done if STEPS[row.step].sets_record_times and not row.repeat]
    unsure = [row for row in rows if row.state == Dispatch.State.FAILED and not row.repeat and row.may_have_acted]
    repeated = [row for row in done if STEPS[row.step].sets_record_times and row.repeat]
    mended = [row for row in done if row.step == Step.FIX_CREATE and row.sent]
    touched = load_records(
        {pk for row in [*settled, *unsure, *repeated] for pk in row.records}
        | {int(pk) for row in mended for pk in row.sent}
    )
    for row in mended:
        apply_fix(row, touched)
    for row in repeated:
        take_times(row, touched, outcomes[row.pk])  # if the partner acted on that key before, its times may differ
    for row in settled:
        set_times(row, touched)
        _mark(row, touched, STEPS[row.step].record_state_after)
        take_times(row, touched, outcomes[row.pk])
    for row in unsure:  # known times stay, since it is unknown whether the record got other times
        set_times(row, {pk: touched[pk] for pk in row.records if touched[pk].create_time is None})
        _mark(row, touched, BillingRecord.State.UNKNOWN)
    update_rows(touched.values(), WRITTEN if _drop_accepted(settled, touched) else WRITTEN[:-1])


def _drop_accepted(rows: Iterable[Dispatch], records: dict[int, BillingRecord]) -> bool:
    """Removes accepted values that a step of ours has set after they were accepted. Returns True if `accepted` must be
    saved."""
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


def write_moved(rows: Iterable[Dispatch]) -> None:
    """Marks the records whose attribution was posted, so that a running comparison notices the change."""
    for row in rows:
        BillingRecord.objects.filter(pk__in=row.fixes, state=BillingRecord.State.LIVE).update(dispatch=row)


def write_processes(starts: Iterable[Dispatch], outcomes: dict[int, Outcome]) -> None:
    """Saves the process ids that BPM returned for its starts."""
    for row in starts:
        row.order.bpm_process = outcomes[row.pk].data.get("process", "")[:128] or row.order.bpm_process
    update_rows([row.order for row in starts], ["bpm_process"])


def settle_by_books(row: Dispatch, outcome: Outcome, *, now: datetime.datetime) -> None:
    """Settles a refused cancel by the partner's records. A cancel is done for records that are absent or not live at
    the partner. A posted deletion is done for records that are absent. The remaining records are sent once more under a
    new key. Only a refusal of that second call counts."""
    records, there = load_records(row.records), by_identity(outcome.data["held"])
    found = {pk: there.get(identity(records[pk], owner(row, records[pk]))) for pk in row.records}
    gone = [pk for pk, one in found.items() if one is None or not (one.live or row.step in DELETIONS)]
    for pk in gone:
        take_record(records[pk], found[pk])
    update_rows([records[pk] for pk in gone], TAKEN)
    code = row.error_code
    row.error_code, row.error, row.error_params = "", "", {}
    if len(gone) == len(row.records) and row.step in DELETIONS:  # the effects of this step check for late creates
        row.state, row.done_at = Dispatch.State.DONE, now
        return
    row.records = [pk for pk in row.records if pk not in gone]
    row.size = len(row.records)
    Dispatch.objects.filter(pk=row.pk).update(records=row.records, size=row.size)
    if not row.records:
        row.state, row.done_at = Dispatch.State.DONE, now
        return
    if row.sent_again:
        row.error_code, row.error, row.error_params = code, outcome.message, outcome.params
        return
    row.state = Dispatch.State.CLOSED
    Dispatch.objects.filter(pk=row.pk).update(superseded=True)
    again = build_replacement(row, now=now)
    again.sent_again, again.blocking = True, row.blocking
    if row.rest is not None:  # only the records of this call count as refused once
        again.rest, again.records, again.size = row.rest, row.records, len(row.records)
    if row.lane is None:  # otherwise a late call could overwrite the result
        again.next_try_at = may_act_until(late_calls(orders=[row.order_id], now=now)) or now
    enqueue([again])


def already_applied_correctly(rows: Iterable[Dispatch], outcomes: dict[int, Outcome]) -> set[int]:
    """Returns the ids of the steps answered 409 (acted before) whose records match what we sent."""
    asked = [row for row in rows if outcomes[row.pk].result == Attempt.Outcome.ACTED_BEFORE]
    records = load_records({pk for row in asked for pk in records_of(row)})
    return {row.pk for row in asked if _fits(row, records, outcomes[row.pk])}


def _fits(row: Dispatch, records: dict[int, BillingRecord], outcome: Outcome) -> bool:
    if row.channel != Dispatch.Channel.BILLING:
        return True
    mine = [copy.copy(records[pk]) for pk in records_of(row)]
    set_times(row, {record.pk: record for record in mine})
    return as_meant(row, mine, outcome.data.get("held", []))


def take_times(row: Dispatch, records: dict[int, BillingRecord], outcome: Outcome) -> None:
    """Copies the partner's times and states to the records, if the partner had carried out their step before. Does not
    save the records."""
    if outcome.result != Attempt.Outcome.ACTED_BEFORE:
        return
    there = by_identity(outcome.data.get("held", []))
    for pk in row.records:
        record = records[pk]
        if one := there.get(identity(record, owner(row, record))):
            take_record(record, one)
