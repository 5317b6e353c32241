"""The only writer of the approval history. Records are added, never changed or deleted (contract 3.6)."""

from django.db import IntegrityError, transaction

from approvals.models import ApprovalRecord


class RecordBodyDiffersError(Exception):
    """Another record has this record id: its body or its order differs. Nothing was stored."""


def add_record(record: ApprovalRecord) -> tuple[ApprovalRecord, bool]:
    """Adds an unsaved record. Returns the one that has its record id now, and whether this call added it.

    Adding the same id again with the same order and `body_hash` does nothing; the first one's `process_key` stays. If
    several callers add it at a time, one of them succeeds; inside a transaction the others' work is kept. Raises
    RecordBodyDiffersError.
    """
    same = ApprovalRecord.objects.filter(record_id=record.record_id)
    known = same.first()
    if known is None:
        try:
            with transaction.atomic():
                record.save(force_insert=True)
                return record, True
        except IntegrityError:
            known = same.first()
            if known is None:  # another constraint failed
                raise
    if (known.body_hash, known.order_id) != (record.body_hash, record.order_id):
        raise RecordBodyDiffersError(f"record {record.record_id} exists with another body")
    return known, False
