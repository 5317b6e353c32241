"""The calls to the big-data side (contract 3.3): billing records, and the traffic of trials.

The functions use no database. Every call sends `body` (JSON, UTF-8) unchanged, together with `key` (the dispatch's key,
which is the same at every attempt). If the response is not a success, the call raises `PartnerError`. `seconds`
overrides the total time-out PARTNER_TIMEOUT_SECONDS.
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings

from integrations.bigdata.billing_record_fields import body_in_their_names, in_our_names, without_deleted
from integrations.outbound import wire_formats
from integrations.outbound.failure_classification import (
    CAUSE_SAYS_ALL,
    PartnerError,
    PartnerResponse,
    check_success,
    storable_text,
)
from integrations.outbound.http_client import ANSWER_BYTES, post
from integrations.partners.answers import Meaning
from integrations.partners.calls import call_of, renamed
from integrations.partners.member_rules import Rule, member
from orders.outbox.outcome import LOOK_UP

RECORD_KEYS = ("jobId", "productId", "domain")  # required in each row of a look-up and of a traffic query
NOTHING_THERE = PartnerResponse(200, "", {})
TRAFFIC_KEYS = ("jobId", "dataflow")
NO_SUCH_CALL = "no_such_call"  # the error code of a step whose call the profile no longer has
RECORD_BYTES = 2048  # bytes that a response may have for each record; a record of ours takes 400
LONGEST_LOOK_UP = 96 * 1024 * 1024
RECORDS_A_SECOND, MAX_MORE_SECONDS = 1000, 60.0  # a look-up may take a second longer for 1000 records, at most 60 s


def trial_flow_query(*, enterprise_id: str, product_id: str, job_id: str) -> dict[str, Any]:
    """Returns the body of a query for one trial's traffic. `job_id` is the trial's number. `product_id` is its service
    type."""
    return body_in_their_names([{"enterpriseId": enterprise_id, "productId": product_id, "jobId": job_id}])


def job_query(job_id: str) -> dict[str, Any]:
    """Returns the body of a query for the records of an order."""
    return renamed({"jobId": job_id}, settings.PARTNERS.bigdata.rename)


def post_product_infos(body: bytes, *, key: str, request_id: str, seconds: float | None = None) -> PartnerResponse:
    """Creates or cancels billing records. `body` comes from `records_body` or `deletion_by_post_body`."""
    return _call("bigdata.post", body, key, request_id, seconds)


def delete_product_infos(body: bytes, *, key: str, request_id: str, seconds: float | None = None) -> PartnerResponse:
    """Deletes billing records (compensation). `body` comes from `deletion_body`."""
    return _call("bigdata.delete", body, key, request_id, seconds)


def query_product_infos(
    job_id: str, *, key: str, request_id: str, seconds: float | None = None, expected: int = 0
) -> list[dict[str, Any]]:
    """Returns the big-data side's records of an order, without deleted records. The time-out and the size limit grow
    with `expected`, the number of our records."""
    check_look_up()
    body = wire_formats.encode(job_query(job_id)).encode()
    seconds = look_up_seconds(expected) if seconds is None else seconds
    most = min(ANSWER_BYTES + expected * RECORD_BYTES, LONGEST_LOOK_UP)
    how = settings.PARTNERS.bigdata.query
    rows = _rows(_call("bigdata.query", body, key, request_id, seconds, most, how.none), how.rows, RECORD_KEYS)
    return list(without_deleted(rows))


def check_look_up() -> None:
    """Raises PartnerError if the big-data side has no look-up. Then a person must check the records there (contract
    7.2)."""
    if not settings.PARTNERS.bigdata.query.path:
        raise PartnerError("it offers no look-up: a person must look", code=LOOK_UP, params=CAUSE_SAYS_ALL)


def look_up_seconds(expected: int) -> float:
    return float(settings.PARTNER_TIMEOUT_SECONDS) + min(expected / RECORDS_A_SECOND, MAX_MORE_SECONDS)


def query_trial_flow(body: bytes, *, key: str, request_id: str) -> list[dict[str, Any]]:
    """Returns the traffic of trials. Each row has enterpriseId, productId, jobId (texts) and dataflow. `body` comes
    from `trial_flow_query`."""
    answer, rows = _call("bigdata.traffic", body, key, request_id), settings.PARTNERS.bigdata.traffic.rows
    return [_flow(row) for row in _rows(answer, rows, TRAFFIC_KEYS)]


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
    """Returns the response if it is a success, or NOTHING_THERE if a rule of `none` matches.

    Raises PartnerError. Its code is `no_such_call` if the profile does not have the call.
    """
    call, timeout = call_of(name), settings.PARTNER_TIMEOUT_SECONDS if seconds is None else seconds
    if not call.url:
        raise PartnerError(f"the profile has no {name}", permanent=True, code=NO_SUCH_CALL, params=CAUSE_SAYS_ALL)
    answer = post(call, body, key=key, request_id=request_id, timeout=timeout, most=most)
    if any(rule.holds(answer.data, status=answer.http_status) for rule in none):
        return NOTHING_THERE
    check_success(answer)
    return answer


def _rows(answer: PartnerResponse, path: str, members: Iterable[str]) -> list[dict[str, Any]]:
    """Returns the rows at `path` in a response, under our names. Raises PartnerError if the response has no list of
    objects there, or if a row lacks one of `members`."""
    if answer is NOTHING_THERE:
        return []
    rows = member(answer.data, tuple(path.split(".")))
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        found = [in_our_names(row) for row in rows]
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
    raise PartnerError(lacks, code="bad_result", params=CAUSE_SAYS_ALL, read=Meaning.NOT_UNDERSTOOD.value, **known)
