"""The fields of billing records in calls to the big-data side (contract 3.3), and the request bodies built from them.

All functions are pure. Every value is a string.
"""

import datetime
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings

from integrations.outbound.wire_formats import wire_time
from integrations.partners.calls import ours, renamed

LIVE, CANCELLED = "1", "2"  # values of cancelStatus
ALWAYS_OURS = {"jobId", "productId", "domain", "cancelStatus", "cancelTime", "createTime"}  # always our values


@dataclass(frozen=True, kw_only=True)
class RecordFacts:
    """A billing record (话单) in its target state at the big-data side.

    `cancel_time` is the record's end. A live record has the agreed end. A cancelled record has `T`, the time at which
    the cancel was first attempted. A deletion needs no times. `accepted` contains the big-data side's values that
    staff accepted. These values are sent unchanged.
    """

    job_id: str
    product_id: str
    domain: str
    info_type: str
    enterprise_id: str
    enterprise_name: str = ""
    province_code: str = ""
    business_type: str = ""
    billing_method: str = ""
    create_time: datetime.datetime | None = None
    cancel_time: datetime.datetime | None = None
    cancelled: bool = False
    accepted: Mapping[str, str] = field(default_factory=dict)


def records_body(records: Iterable[RecordFacts]) -> dict[str, Any]:
    """Returns the body that creates or cancels the records, in the given order. Each record needs both times."""
    return body_in_their_names(record_members(record) for record in records)


def deletion_body(records: Iterable[RecordFacts]) -> dict[str, Any]:
    return body_in_their_names(_identity(record) for record in records)


def deletion_by_post_body(records: Iterable[RecordFacts], now: datetime.datetime) -> dict[str, Any]:
    """Returns the body that deletes records at a partner without a delete call. The body cancels each record as of its
    creation time. If that time is unknown, `now` replaces it."""
    return records_body(
        replace(one, create_time=one.create_time or now, cancel_time=one.create_time or now, cancelled=True)
        for one in records
    )


def without_deleted(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yields the rows (under our names) of records that are not deleted. At a partner without a delete call, a record
    counts as deleted if it is cancelled as of its creation time."""
    return iter(rows) if settings.PARTNERS.bigdata.delete.path else itertools.filterfalse(_is_deleted, rows)


def _is_deleted(row: Mapping[str, Any]) -> bool:
    created, ended = row.get("createTime"), row.get("cancelTime")
    return str(row.get("cancelStatus")) == CANCELLED and created is not None and str(created) == str(ended)


def body_in_their_names(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the request body for the records. The records have our field names. The body has the partner's names."""
    names = settings.PARTNERS.bigdata.rename
    return {"productInfos": [renamed(record, names) for record in records]}


def in_our_names(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record of a stored request body, or of a response, under our field names."""
    return ours(record, settings.PARTNERS.bigdata.rename)


def record_members(record: RecordFacts) -> dict[str, Any]:
    """Returns the fields of a record to send, under our names."""
    assert record.create_time
    assert record.cancel_time
    fields = {
        "billingMethod": record.billing_method,
        "businessType": record.business_type,
        "cancelStatus": CANCELLED if record.cancelled else LIVE,
        "cancelTime": wire_time(record.cancel_time),
        "createTime": wire_time(record.create_time),
        "domain": record.domain,
        "enterpriseId": record.enterprise_id,
        "enterpriseName": record.enterprise_name,
        "infoType": record.info_type,
        "jobId": record.job_id,
        "productId": record.product_id,
        "province": record.province_code,
    }
    return _as_accepted(fields, record)


def _identity(record: RecordFacts) -> dict[str, Any]:
    fields = {
        "jobId": record.job_id,
        "productId": record.product_id,
        "domain": record.domain,
        "enterpriseId": record.enterprise_id,
        "infoType": record.info_type,
    }
    return _as_accepted(fields, record)


def _as_accepted(fields: dict[str, Any], record: RecordFacts) -> dict[str, Any]:
    if not record.accepted:
        return fields
    kept = fields.keys() & record.accepted.keys() - ALWAYS_OURS
    return fields | {name: record.accepted[name] for name in kept}
