"""The only writer of the approval history. Records are added, never changed or deleted (contract 3.6)."""

from django.db import IntegrityError, transaction

from approvals.models import ApprovalRecord


class RecordBodyDiffersError(Exception):
    """A record with this record id exists, but with another body or for another order. Nothing was stored."""


def add_record(record: ApprovalRecord) -> tuple[ApprovalRecord, bool]:
    """Adds an unsaved record. Returns the stored record with this record id, and True if this call added it.

    If the id is already stored with the same order and `body_hash`, nothing changes, not even `process_key`. If several
    transactions add the same id concurrently, only one transaction inserts the row, and all transactions stay usable.

    Raises RecordBodyDiffersError.
    """
    same = ApprovalRecord.objects.filter(record_id=record.record_id)
    known = same.first()
    if known is None:
        try:
            with transaction.atomic():  # a savepoint: an IntegrityError must not abort the caller's transaction
                record.save(force_insert=True)
                return record, True
        except IntegrityError:
            known = same.first()
            if known is None:  # another constraint failed
                raise
    if (known.body_hash, known.order_id) != (record.body_hash, record.order_id):
        raise RecordBodyDiffersError(f"record {record.record_id} exists with another body")
    return known, False
