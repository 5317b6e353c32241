"""What is sent to the big-data side (contract 3.3). Pure: facts in, a dict out; every value is a string."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations.outbound.formats import wire_time

LIVE, CANCELLED = "1", "2"
OURS_TO_SAY = {"jobId", "productId", "domain", "cancelStatus", "cancelTime", "createTime"}  # what a call is about


@dataclass(frozen=True, kw_only=True)
class RecordFacts:
    """One billing record (话单) as it shall be at the big-data side.

    `cancel_time` is when it ends: the agreed end of a live record, the moment T of a cancelled one. A deletion needs
    no times. `accepted`: fields that stay as the big-data side has them, since staff live with them.
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


def product_infos(records: Iterable[RecordFacts]) -> dict[str, Any]:
    """Creates or cancels the records, in the given order. Each needs its times."""
    return {"productInfos": [_record(record) for record in records]}


def deletion(records: Iterable[RecordFacts]) -> dict[str, Any]:
    """Deletes the records (compensation)."""
    return {"productInfos": [_identity(record) for record in records]}


def trial_flow_query(*, enterprise_id: str, product_id: str, job_id: str) -> dict[str, Any]:
    """Asks for the traffic of one trial; `job_id` is the trial's number, `product_id` its service type."""
    return {"productInfos": [{"enterpriseId": enterprise_id, "productId": product_id, "jobId": job_id}]}


def _record(record: RecordFacts) -> dict[str, Any]:
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
    kept = fields.keys() & record.accepted.keys() - OURS_TO_SAY
    return fields | {name: record.accepted[name] for name in kept}
