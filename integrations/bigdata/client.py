"""Calls to the big-data side (contract 3.3): billing records, and the traffic of trials. Knows no database.

Every function sends `body` (JSON, UTF-8) as it is, under `key` (the dispatch's, the same for every attempt), and raises
`integrations.outbound.http.PartnerError` unless the answer says success.
`seconds`: the total time-out, where it is not the usual one.
"""

import dataclasses

from django.conf import settings

from integrations.outbound import formats
from integrations.outbound.http import ANSWER_BYTES, NO_MORE, Answer, PartnerError, check, parse, plain, post

RECORD_BYTES = 2048  # of an answer, for each record; ours take 400
LONGEST_LOOK_UP = 96 * 1024 * 1024
RECORDS_A_SECOND, MOST_MORE_SECONDS = 1000, 60.0  # how much longer a look-up may take than other calls


def post_product_infos(body: bytes, *, key: str, request_id: str, seconds: float | None = None) -> Answer:
    """Creates or cancels billing records; `body` is `payload.product_infos`."""
    return _call("/productInfos", body, key, request_id, seconds)


def delete_product_infos(body: bytes, *, key: str, request_id: str, seconds: float | None = None) -> Answer:
    """Deletes billing records (compensation); `body` is `payload.deletion`."""
    return _call("/productInfos/delete", body, key, request_id, seconds)


def query_product_infos(
    job_id: str, *, key: str, request_id: str, seconds: float | None = None, expected: int = 0
) -> list[dict]:  # fmt: skip
    """The billing records that the big-data side holds for an order, with its field names.

    How long it may take and how long its answer may be grows with the number of records that are `expected`.
    """
    body = formats.encode({"jobId": job_id}).encode()
    seconds = look_up_seconds(expected) if seconds is None else seconds
    most = min(ANSWER_BYTES + expected * RECORD_BYTES, LONGEST_LOOK_UP)
    return _rows(_call("/productInfos/query", body, key, request_id, seconds, most))


def look_up_seconds(expected: int) -> float:
    """The total time-out of a look-up that is expected to give so many records."""
    return settings.PARTNER_TIMEOUT_SECONDS + min(expected / RECORDS_A_SECOND, MOST_MORE_SECONDS)


def query_trial_flow(body: bytes, *, key: str, request_id: str) -> list[dict]:
    """The traffic of trials: objects with enterpriseId, productId, jobId (texts) and dataflow.

    `body` is `payload.trial_flow_query`. What else the answer holds is left out.
    """
    return [_flow(row) for row in _rows(_call("/trialFlow/query", body, key, request_id))]


def _flow(row: dict) -> dict:
    flow = row.get("dataflow")
    known = {name: plain(row[name]) for name in ("enterpriseId", "productId", "jobId") if row.get(name) is not None}
    return known | {"dataflow": flow if isinstance(flow, int | float) else None}


def _call(
    path: str, body: bytes, key: str, request_id: str, seconds: float | None = None, most: int = ANSWER_BYTES
) -> Answer:  # fmt: skip
    url = settings.BIGDATA_BASE_URL.rstrip("/") + path
    timeout = settings.PARTNER_TIMEOUT_SECONDS if seconds is None else seconds
    outer = post(url, body, key=key, request_id=request_id, timeout=timeout, most=most)
    answer = dataclasses.replace(outer, data=_inner(outer.data))
    check(answer)
    return answer


def _inner(data: dict) -> dict:
    """The answer proper. It may come encoded twice, as text in `result`; then the inner `code` counts."""
    result = data.get("result")
    inner = parse(result) if isinstance(result, str) else result
    return inner if isinstance(inner, dict) and "code" in inner else data


def _rows(answer: Answer) -> list[dict]:
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
