"""The calls to the big-data side (contract 3.3): billing records, and the traffic of trials.

Uses no database. The bodies are pure: facts in, a dict out, and every value is a string. Every call sends `body` (JSON,
UTF-8) as it is, under `key` (the dispatch's key, the same for every attempt). It raises
`integrations.outbound.http.PartnerError` unless the answer says success. `seconds` is the total time-out, if it is not
the usual one.
"""

import datetime
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings

from integrations.outbound import formats
from integrations.outbound.http import (
    ANSWER_BYTES,
    NO_MORE,
    PartnerError,
    PartnerResponse,
    check_success,
    post,
    storable_text,
)
from integrations.partners.answers import Meaning
from integrations.partners.calls import call_of, ours, renamed
from integrations.partners.rules import Rule, member
from orders.outbox.outcome import LOOK_UP

LIVE, CANCELLED = "1", "2"
NAMED = ("jobId", "productId", "domain")  # what each row of a look-up must have, and of traffic
NOTHING_THERE = PartnerResponse(200, "", {})
MEASURED = ("jobId", "dataflow")
NO_SUCH_CALL = "no_such_call"  # the code of a step that is for a call which the profile has no more
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
    return named_theirs(record_members(record) for record in records)


def deletion(records: Iterable[RecordFacts]) -> dict[str, Any]:
    return named_theirs(_identity(record) for record in records)


def posted_deletion(records: Iterable[RecordFacts], now: datetime.datetime) -> dict[str, Any]:
    """The body that deletes them at a partner without a delete: each is cancelled as of its creation. `now`: the
    creation of one whose own is not known."""
    return product_infos(
        replace(one, create_time=one.create_time or now, cancel_time=one.create_time or now, cancelled=True)
        for one in records
    )


def present(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows, which have our names, without those that count as absent at a partner without a delete: cancelled as of
    their creation."""
    return iter(rows) if settings.PARTNERS.bigdata.delete.path else itertools.filterfalse(_is_deleted, rows)


def _is_deleted(row: Mapping[str, Any]) -> bool:
    created, ended = row.get("createTime"), row.get("cancelTime")
    return str(row.get("cancelStatus")) == CANCELLED and created is not None and str(created) == str(ended)


def named_theirs(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The body of these records, which have our names."""
    names = settings.PARTNERS.bigdata.rename
    return {"productInfos": [renamed(record, names) for record in records]}


def trial_flow_query(*, enterprise_id: str, product_id: str, job_id: str) -> dict[str, Any]:
    """The body that asks for one trial's traffic. `job_id` is the trial's number, `product_id` its service type."""
    asked = {"enterpriseId": enterprise_id, "productId": product_id, "jobId": job_id}
    return named_theirs([asked])


def job_query(job_id: str) -> dict[str, Any]:
    """The body that asks which records there are of an order."""
    return renamed({"jobId": job_id}, settings.PARTNERS.bigdata.rename)


def as_ours(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of a frozen body or of an answer, under our names."""
    return ours(record, settings.PARTNERS.bigdata.rename)


def record_members(record: RecordFacts) -> dict[str, Any]:
    """A record as we would send it, under our names."""
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


def post_product_infos(body: bytes, *, key: str, request_id: str, seconds: float | None = None) -> PartnerResponse:
    """Creates or cancels billing records. `body` is made by `product_infos`, or by `posted_deletion`."""
    return _call("bigdata.post", body, key, request_id, seconds)


def delete_product_infos(body: bytes, *, key: str, request_id: str, seconds: float | None = None) -> PartnerResponse:
    """Deletes billing records (compensation). `body` is made by `deletion`."""
    return _call("bigdata.delete", body, key, request_id, seconds)


def query_product_infos(
    job_id: str, *, key: str, request_id: str, seconds: float | None = None, expected: int = 0
) -> list[dict[str, Any]]:
    """The records that the big-data side holds for an order (`present`). Time-out and size limit grow with those
    `expected`."""
    check_look_up()
    body = formats.encode(job_query(job_id)).encode()
    seconds = look_up_seconds(expected) if seconds is None else seconds
    most = min(ANSWER_BYTES + expected * RECORD_BYTES, LONGEST_LOOK_UP)
    how = settings.PARTNERS.bigdata.query
    rows = _rows(_call("bigdata.query", body, key, request_id, seconds, most, how.none), how.rows, NAMED)
    return list(present(rows))


def check_look_up() -> None:
    """Raises PartnerError if the big-data side has no look-up: a person must look (contract 7.2)."""
    if not settings.PARTNERS.bigdata.query.path:
        raise PartnerError("it offers no look-up: a person must look", code=LOOK_UP, params=NO_MORE)


def look_up_seconds(expected: int) -> float:
    return float(settings.PARTNER_TIMEOUT_SECONDS) + min(expected / RECORDS_A_SECOND, MAX_MORE_SECONDS)


def query_trial_flow(body: bytes, *, key: str, request_id: str) -> list[dict[str, Any]]:
    """The traffic of trials: enterpriseId, productId, jobId (texts), dataflow. `body`: from `trial_flow_query`."""
    answer, rows = _call("bigdata.traffic", body, key, request_id), settings.PARTNERS.bigdata.traffic.rows
    return [_flow(row) for row in _rows(answer, rows, MEASURED)]


def _flow(row: dict[str, Any]) -> dict[str, Any]:
    flow = row.get("dataflow")
    known = {
        name: storable_text(row[name]) for name in ("enterpriseId", "productId", "jobId") if row.get(name) is not None
    }
    return known | {"dataflow": flow if isinstance(flow, int | float) else None}


def _call(
    name: str,
    body: bytes,
    key: str,
    request_id: str,
    seconds: float | None = None,
    most: int = ANSWER_BYTES,
    none: Iterable[Rule] = (),
) -> PartnerResponse:
    """The answer that says success; NOTHING_THERE for one that by the rules of `none` means that.

    Raises PartnerError, `no_such_call` for a call that the profile does not have.
    """
    call, timeout = call_of(name), settings.PARTNER_TIMEOUT_SECONDS if seconds is None else seconds
    if not call.url:
        raise PartnerError(f"the profile has no {name}", permanent=True, code=NO_SUCH_CALL, params=NO_MORE)
    answer = post(call, body, key=key, request_id=request_id, timeout=timeout, most=most)
    if any(rule.holds(answer.data, status=answer.http_status) for rule in none):
        return NOTHING_THERE
    check_success(answer)
    return answer


def _rows(answer: PartnerResponse, path: str, members: Iterable[str]) -> list[dict[str, Any]]:
    """The list in an answer, under our names. Raises PartnerError if there is none, or a row lacks a member."""
    if answer is NOTHING_THERE:
        return []
    rows = member(answer.data, tuple(path.split(".")))
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        found = [as_ours(row) for row in rows]
        if all(name in row for row in found for name in members):
            return found
        lacks = f"answered rows of which one has no {', '.join(members)}"
    else:
        lacks = f"answered without a list of objects in {path}"
    known: dict[str, Any] = {
        "http_status": answer.http_status,
        "answer": answer.text,
        "raw": answer.raw,
        "charset": answer.charset,
    }
    raise PartnerError(lacks, code="bad_result", params=NO_MORE, read=Meaning.NOT_UNDERSTOOD.value, **known)
