"""Compares the big-data side's records of a jobId with the step that queried them (contract 3.5, 409).

The partner had processed the step's key before, with other bytes. This case occurs after a restore from a backup. If
the partner's records match the step's target state, the step is done, and our records get the partner's times.
"""

from collections.abc import Collection, Iterable

from orders.books.books import HeldRecord
from orders.models import BillingRecord, Dispatch, Order
from orders.rules.steps import STEPS, Effect, Step

TAKEN = ["state", "create_time", "cancel_time", "cancelled_at"]  # columns set by `take_record`
NAMES_IT = {"enterpriseId", "infoType"}  # accepted values that identify a record at the partner
MOVES_END = {Effect.EXTEND, Effect.RESTORE}


def as_meant(row: Dispatch, records: Collection[BillingRecord], held: Iterable[HeldRecord]) -> bool:
    """Returns True if all records of a step are at the big-data side in the step's target state: live, cancelled or
    absent.

    If the step changes ends or starts, these must match too. Our records have the times that the step gives them. A
    trial's create also matches if its records are cancelled at the partner, since a lost order has then cancelled the
    records.
    """
    there = by_identity(held)
    found = [there.get(identity(record, owner(row, record))) for record in records]
    if row.step == Step.MOVE_ATTRIBUTION:
        code = row.order.attribution.code
        return all(one and one.live and one.fields.get("province") == code for one in found)
    if STEPS[row.step].record_state_after == BillingRecord.State.DELETED:
        return not any(found)
    if not found or not all(found):
        return False
    if STEPS[row.step].record_state_after == BillingRecord.State.CANCELLED:
        return not any(one.live for one in found)
    if STEPS[row.step].effect in MOVES_END:
        ends = [record.cancel_time for record in records]
        return all(one.live and one.cancel_time == end for one, end in zip(found, ends, strict=True))
    if STEPS[row.step].effect == Effect.MOVE:
        starts = [record.create_time for record in records]
        return all(one.live and one.create_time == start for one, start in zip(found, starts, strict=True))
    return row.step == Step.CREATE_TRIAL or all(one.live for one in found)


def records_of(row: Dispatch) -> list[int]:
    """Returns the ids of the records of a step that are compared with the partner's."""
    return row.fixes if row.step == Step.MOVE_ATTRIBUTION else row.records


def owner(row: Dispatch, record: BillingRecord) -> Order:
    """Returns the order whose jobId a record has. This is the dispatch's own order or the trial of that order."""
    return row.order if record.order_id == row.order_id else row.order.trial


def identity(record: BillingRecord, order: Order) -> tuple[str, str, str, str]:
    """Returns the key of a record at the big-data side within its jobId, with the values that staff accepted."""
    info_type = record.accepted.get("infoType", record.info_type)
    return record.product_id, record.domain_key, info_type, record.accepted.get("enterpriseId", order.enterprise_id)


def by_identity(held: Iterable[HeldRecord]) -> dict[tuple[str, str, str, str], HeldRecord]:
    return {(one.product_id, one.key, one.info_type, one.enterprise_id): one for one in held}


def by_name(held: Iterable[HeldRecord]) -> dict[tuple[str, str], HeldRecord]:
    """Returns the partner's readable records by productId and domain, as a comparison identifies them."""
    return {(one.product_id, one.key): one for one in held if one.readable}


def take_record(record: BillingRecord, there: HeldRecord | None) -> None:
    """Sets our record to the state and times of the partner's record, or to deleted if the partner has no such record
    (None). Does not save our record."""
    if there is None:
        record.state = BillingRecord.State.DELETED
        return
    record.create_time = there.create_time or record.create_time
    if there.live:
        record.state, record.cancelled_at = BillingRecord.State.LIVE, None
        record.cancel_time = there.cancel_time or record.cancel_time
    else:
        record.state, record.cancelled_at = BillingRecord.State.CANCELLED, there.cancel_time or record.cancelled_at
