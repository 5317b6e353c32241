"""The only writer of the approval history. Records are added, never changed or deleted (contract 3.6)."""

import datetime
import uuid

from django.db import IntegrityError, transaction

from approvals.models import ApprovalRecord


class RecordBodyDiffersError(Exception):
    """Another record has this record id: its body or its order differs. Nothing was stored."""


def add_record(
    *,
    order_id: int,
    record_id: str,
    node: str,
    node_name: str,
    result: str,
    operator: str,
    opinion: str,
    time: datetime.datetime,
    finished: bool,
    body_hash: str,
    now: datetime.datetime,
    source: str = ApprovalRecord.Source.BPM,
    process_key: uuid.UUID | None = None,
) -> tuple[ApprovalRecord, bool]:
    """The record with this id, and whether this call added it.

    Adding the same id again with the same order and `body_hash` does nothing. If several callers add it at a time, one
    of them succeeds; inside a transaction the others' work is kept. `result` is one of ApprovalRecord.Result. `time`
    and `now` are aware. `process_key` is that of the record that is added first. Raises RecordBodyDiffersError.
    """
    record = ApprovalRecord(
        order_id=order_id,
        record_id=record_id,
        source=source,
        node=node,
        node_name=node_name,
        result=result,
        operator=operator,
        opinion=opinion,
        time=time,
        finished=finished,
        body_hash=body_hash,
        received_at=now,
        process_key=process_key,
    )
    known = _known(record_id) or _added(record)
    if known is None:
        return record, True
    if (known.body_hash, known.order_id) != (body_hash, order_id):
        raise RecordBodyDiffersError(f"record {record_id} exists with another body")
    return known, False


def _known(record_id: str) -> ApprovalRecord | None:
    return ApprovalRecord.objects.filter(record_id=record_id).first()


def _added(record: ApprovalRecord) -> ApprovalRecord | None:
    """Adds the record. Returns None, or the record of whoever was faster."""
    try:
        with transaction.atomic():
            record.save(force_insert=True)
    except IntegrityError:
        other = _known(record.record_id)
        if other is None:  # another constraint failed
            raise
        return other
    return None
