"""Bodies of calls that the partners accept, and a function that posts them."""

import copy
import itertools

import requests

KEYS = itertools.count(1)
RECORD = {
    "billingMethod": "1",
    "businessType": "1",
    "cancelStatus": "1",
    "cancelTime": "20330920185436",
    "createTime": "20230920185436",
    "domain": "pull.api-eas-3.li.com",
    "enterpriseId": "100A23100079275183",
    "enterpriseName": "北京泽天伟业商贸有限公司",
    "infoType": "2",
    "jobId": "100A230920170126001",
    "productId": "61000616304",
    "province": "100",
}
PUT, DELETE, QUERY = "/bigdata/productInfos", "/bigdata/productInfos/delete", "/bigdata/productInfos/query"
FLOW, START = "/bigdata/trialFlow/query", "/bpm/flows/start"
DONE = {"code": 200, "message": "成功"}


def records(*changes: dict) -> dict:
    """Returns a body with one record for each set of changes. A change to None leaves the member out."""
    made = [{**RECORD, **change} for change in changes or ({},)]
    return {"productInfos": [{name: value for name, value in entry.items() if value is not None} for entry in made]}


def names(record: dict) -> dict:
    """Returns the body that deletes a record."""
    return {"productInfos": [{n: record[n] for n in ("jobId", "productId", "domain", "enterpriseId", "infoType")}]}


def with_member(body: dict, path: tuple, value: object) -> dict:
    """Returns a copy of the body with one member changed. The value `...` leaves the member out."""
    made = copy.deepcopy(body)
    place = made
    for name in path[:-1]:
        place = place[name]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return made


def post(sandbox, path: str, body: object, *, key: str | None = None, timeout: float = 5) -> requests.Response:
    """Posts a call to a partner, with a new idempotency key unless one is given."""
    headers = {"Idempotency-Key": key or f"key-{next(KEYS)}", "X-Request-Id": "request-1"}
    given = {"data": body} if isinstance(body, bytes) else {"json": body}
    return requests.post(sandbox.url + path, headers=headers, timeout=timeout, **given)
