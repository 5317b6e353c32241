"""The calls to the big-data side (contract 3.3): billing records, and the traffic of trials.

Uses no database. The bodies are pure: facts in, a dict out, and every value is a string. Every call sends `body` (JSON,
UTF-8) as it is, under `key` (the dispatch's key, the same for every attempt). It raises
`integrations.outbound.http.PartnerError` unless the answer says success. `seconds` is the total time-out, if it is not
the usual one.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from integrations.outbound import formats
from integrations.outbound.http import (
    ANSWER_BYTES,
    NO_MORE,
    PartnerError,
    PartnerResponse,
    check_success,
    parse_object,
    post,
    storable_text,
)
from integrations.partners.calls import call_of, ours, renamed

LIVE, CANCELLED = "1", "2"
OURS_TO_SAY = {"jobId", "productId", "domain", "cancelStatus", "cancelTime", "createTime"}  # always our values
RECORD_BYTES = 2048  # of an answer, for each record; one of our records takes 400
LONGEST_LOOK_UP = 96 * 1024 * 1024
RECORDS_A_SECOND, MAX_MORE_SECONDS = 1000, 60.0  # how much longer a look-up may take than other calls


@dataclass(frozen=True, kw_only=True)
class RecordFacts:
    """One billing record (话单) as it must be at the big-data side.

    `cancel_time` is when it ends: the agreed end of a live record, the moment T of a cancelled one. A deletion needs
    no times. `accepted` are fields that stay as the big-data side has them, because staff accepted them.
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
    """The body that creates or cancels the records, in the given order. Each record needs both its times."""
    return {"productInfos": [_record(record) for record in records]}


def deletion(records: Iterable[RecordFacts]) -> dict[str, Any]:
    return {"productInfos": [_identity(record) for record in records]}


def trial_flow_query(*, enterprise_id: str, product_id: str, job_id: str) -> dict[str, Any]:
    """The body that asks for one trial's traffic. `job_id` is the trial's number, `product_id` its service type."""
    asked = {"enterpriseId": enterprise_id, "productId": product_id, "jobId": job_id}
    return {"productInfos": [renamed(asked, settings.PARTNERS.bigdata.rename)]}


def job_query(job_id: str) -> dict[str, Any]:
    """The body that asks which records there are of an order."""
    return renamed({"jobId": job_id}, settings.PARTNERS.bigdata.rename)


def as_ours(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of a frozen body or of an answer, under our names."""
    return ours(record, settings.PARTNERS.bigdata.rename)


def _record(record: RecordFacts) -> dict[str, Any]:
    assert record.create_time
    assert record.cancel_time
    fields = {
        "billingMethod": record.billing_method,
        "businessType": record.business_type,
        "cancelStatus": CANCELLED if record.cancelled else LIVE,
        "cancelTime": formats.wire_time(record.cancel_time),
        "createTime": formats.wire_time(record.create_time),
        "domain": record.domain,
        "enterpriseId": record.enterprise_id,
        "enterpriseName": record.enterprise_name,
        "infoType": record.info_type,
        "jobId": record.job_id,
        "productId": record.product_id,
        "province": record.province_code,
    }
    return renamed(_as_accepted(fields, record), settings.PARTNERS.bigdata.rename)


def _identity(record: RecordFacts) -> dict[str, Any]:
    fields = {
        "jobId": record.job_id,
        "productId": record.product_id,
        "domain": record.domain,
        "enterpriseId": record.enterprise_id,
        "infoType": record.info_type,
    }
    return renamed(_as_accepted(fields, record), settings.PARTNERS.bigdata.rename)


def _as_accepted(fields: dict[str, Any], record: RecordFacts) -> dict[str, Any]:
    if not record.accepted:
        return fields
    kept = fields.keys() & record.accepted.keys() - OURS_TO_SAY
    return fields | {name: record.accepted[name] for name in kept}


def post_product_infos(body: bytes, *, key: str, request_id: str) -> PartnerResponse:
    """Creates or cancels billing records. `body` is made by `product_infos`."""
    return _call("bigdata.post", body, key, request_id)


def delete_product_infos(body: bytes, *, key: str, request_id: str, seconds: float | None = None) -> PartnerResponse:
    """Deletes billing records (compensation). `body` is made by `deletion`."""
    return _call("bigdata.delete", body, key, request_id, seconds)


def query_product_infos(
    job_id: str, *, key: str, request_id: str, seconds: float | None = None, expected: int = 0
) -> list[dict[str, Any]]:
    """The records that the big-data side holds for an order. Time-out and size limit grow with those `expected`."""
    body = formats.encode(job_query(job_id)).encode()
    seconds = look_up_seconds(expected) if seconds is None else seconds
    most = min(ANSWER_BYTES + expected * RECORD_BYTES, LONGEST_LOOK_UP)
    return [as_ours(row) for row in _rows(_call("bigdata.query", body, key, request_id, seconds, most))]


def look_up_seconds(expected: int) -> float:
    return float(settings.PARTNER_TIMEOUT_SECONDS) + min(expected / RECORDS_A_SECOND, MAX_MORE_SECONDS)


def query_trial_flow(body: bytes, *, key: str, request_id: str) -> list[dict[str, Any]]:
    """The traffic of trials: enterpriseId, productId, jobId (texts), dataflow. `body`: from `trial_flow_query`."""
    return [_flow(as_ours(row)) for row in _rows(_call("bigdata.traffic", body, key, request_id))]


def _flow(row: dict[str, Any]) -> dict[str, Any]:
    flow = row.get("dataflow")
    known = {
        name: storable_text(row[name]) for name in ("enterpriseId", "productId", "jobId") if row.get(name) is not None
    }
    return known | {"dataflow": flow if isinstance(flow, int | float) else None}


def _call(
    name: str, body: bytes, key: str, request_id: str, seconds: float | None = None, most: int = ANSWER_BYTES
) -> PartnerResponse:
    timeout = settings.PARTNER_TIMEOUT_SECONDS if seconds is None else seconds
    outer = post(call_of(name), body, key=key, request_id=request_id, timeout=timeout, most=most)
    answer = dataclasses.replace(outer, data=_inner(outer.data))
    check_success(answer)
    return answer


def _inner(data: dict[str, Any]) -> dict[str, Any]:
    """The real answer. It may be inside `result`, also as JSON text (encoded twice). Then the inner `code` counts."""
    result = data.get("result")
    inner = parse_object(result) if isinstance(result, str) else result
    return inner if isinstance(inner, dict) and "code" in inner else data


def _rows(answer: PartnerResponse) -> list[dict[str, Any]]:
    rows = answer.data.get("result")
    if rows is None:
        return []
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        return rows
    raise PartnerError(
        "answered a result that is not a list of objects",
        code="bad_result",
        params=NO_MORE,
        http_status=answer.http_status,
        answer=answer.text,
    )
