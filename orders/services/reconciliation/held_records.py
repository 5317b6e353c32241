"""Holds what the big-data side answered about a jobId against the step that asked (contract 3.5, 409).

It acted on the step's key before, with other bytes, as after a restore from a backup. Where its records are as the step
means them the step is done, and they keep the partner's times.
"""

from collections.abc import Iterable

from orders.books import HeldRecord
from orders.models import BillingRecord, Dispatch, Order
from orders.steps import STEPS

Step, Record = Dispatch.Step, BillingRecord.State


def as_meant(row: Dispatch, records: Iterable[BillingRecord], held: Iterable[HeldRecord]) -> bool:
    """Whether all records of a step are at the big-data side as the step means them: live, cancelled or absent.

    A trial's create fits where its records are cancelled too: an order that we do not know (yet) has cancelled them.
    """
    there = by_identity(held)
    found = [there.get(identity(record, owner(row, record))) for record in records]
    if STEPS[row.step].leaves == Record.DELETED:
        return not any(found)
    if not found or not all(found):
        return False
    if STEPS[row.step].leaves == Record.CANCELLED:
        return not any(one.live for one in found)
    return row.step == Step.CREATE_TRIAL or all(one.live for one in found)


def owner(row: Dispatch, record: BillingRecord) -> Order:
    """The order whose jobId a record bears: the dispatch's own or its trial."""
    return row.order if record.order_id == row.order_id else row.order.trial


def identity(record: BillingRecord, order: Order) -> tuple[str, str, str, str]:
    """What tells a record from others at the big-data side, within its jobId; as accepted, where staff live with it."""
    info_type = record.accepted.get("infoType", record.info_type)
    return record.product_id, record.domain_key, info_type, record.accepted.get("enterpriseId", order.enterprise_id)


def by_identity(held: Iterable[HeldRecord]) -> dict[tuple[str, str, str, str], HeldRecord]:
    """The partner's records by the same."""
    return {(one.product_id, one.key, one.info_type, one.enterprise_id): one for one in held}


def by_name(held: Iterable[HeldRecord]) -> dict[tuple[str, str], HeldRecord]:
    """The same by productId and domain alone, as a comparison tells records apart; without those that have no name."""
    return {(one.product_id, one.key): one for one in held if one.readable}


def take_record(record: BillingRecord, there: HeldRecord | None) -> None:
    """Our record becomes what the partner holds; unsaved. What it does not hold (None) is deleted."""
    if there is None:
        record.state = Record.DELETED
        return
    record.create_time = there.create_time or record.create_time
    if there.live:
        record.state, record.cancelled_at = Record.LIVE, None
        record.cancel_time = there.cancel_time or record.cancel_time
    else:
        record.state, record.cancelled_at = Record.CANCELLED, there.cancel_time or record.cancelled_at
