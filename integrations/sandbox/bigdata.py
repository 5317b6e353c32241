"""The big-data side: billing records and trial traffic (contract section 3.3).

Each handler gets the store, the call and its parsed body, and returns the body of the response.
"""

from integrations.sandbox.dialect import PLAIN
from integrations.sandbox.http_messages import SandboxRequest
from integrations.sandbox.store import Store
from integrations.sandbox.validation import Check, Refusal, billing_time, choice_of, filled_string, list_of, members

DONE = {"code": 200, "message": "成功"}
RECORD = {
    "billingMethod": filled_string,
    "businessType": filled_string,
    "cancelStatus": choice_of("1", "2"),
    "cancelTime": billing_time,
    "createTime": billing_time,
    "domain": filled_string,
    "enterpriseId": filled_string,
    "enterpriseName": filled_string,
    "infoType": choice_of("1", "2"),
    "jobId": filled_string,
    "productId": filled_string,
    "province": filled_string,
}
NAMED = {name: RECORD[name] for name in ("jobId", "productId", "domain", "enterpriseId", "infoType")}
TRIAL = dict.fromkeys(("enterpriseId", "productId", "jobId"), filled_string)


def _entries(shape: dict[str, Check]) -> Check:
    return members({"productInfos": list_of(members(shape), least=1)})


check_put, check_delete, check_flow = _entries(RECORD), _entries(NAMED), _entries(TRIAL)
check_query = members({"jobId": filled_string})


def put(store: Store, call: SandboxRequest, body: dict) -> dict:
    """`POST /productInfos`: creates or replaces every entry. If an entry is refused, all entries are refused."""
    check_put("", body)
    for record in body["productInfos"]:
        store.put_record(record)
    return DONE


def put_strictly(store: Store, call: SandboxRequest, body: dict) -> dict:
    """Like `put` for a strict partner: refuses the call if an entry cancels a record that does not exist."""
    check_put("", body)
    for place, record in enumerate(body["productInfos"]):
        if record["cancelStatus"] == "2" and not store.holds_record(record):
            raise Refusal(f"productInfos[{place}]", f"没有 {record['domain']} 的话单，无法取消")
    return put(store, call, body)


def delete(store: Store, call: SandboxRequest, body: dict) -> dict:
    """`POST /productInfos/delete`: removes the named records. Ignores records that do not exist."""
    check_delete("", body)
    for named in body["productInfos"]:
        store.delete_record(named)
    return DONE


def query(store: Store, call: SandboxRequest, body: dict) -> dict:
    """`POST /productInfos/query`: returns the records of a jobId."""
    check_query("", body)
    return {**DONE, "result": store.records(body["jobId"])}


def trial_flow(store: Store, call: SandboxRequest, body: dict) -> dict:
    """`POST /trialFlow/query`: returns the traffic of trials. The result is JSON in a string. For a trial that is set
    to plain, the result is plain."""
    check_flow("", body)
    flows = [store.flow(trial["jobId"]) for trial in body["productInfos"]]
    pairs = zip(body["productInfos"], flows, strict=True)
    answer = {**DONE, "result": [_with_flow(trial, dataflow) for trial, (dataflow, _) in pairs]}
    return answer | {PLAIN: any(plain for _, plain in flows)}


def _with_flow(trial: dict, dataflow: float) -> dict:
    return {
        "enterpriseId": trial["enterpriseId"],
        "productId": trial["productId"],
        "dataflow": dataflow,
        "jobId": trial["jobId"],
    }
