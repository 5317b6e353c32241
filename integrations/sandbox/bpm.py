"""BPM: starts a flow by a request in one of two formats (contract section 3.4)."""

from integrations.sandbox.http_messages import SandboxRequest
from integrations.sandbox.store import Store
from integrations.sandbox.validation import (
    Refusal,
    bpm_time,
    choice_of,
    filled_string,
    list_of,
    members,
    string,
    whole_number,
)

SENDER = {"accessSystem": filled_string, "account": filled_string}
OPERATOR = {"operMail": string, "operTel": string, "operUser": string}
DOMAINS = list_of(filled_string, least=1)

FIRST = {
    "businessStartTime": bpm_time,
    "cdn_type": filled_string,
    "code": filled_string,
    "createDate": bpm_time,
    "create_time": bpm_time,
    "domains": DOMAINS,
    "nameOfClient": filled_string,
    **OPERATOR,
    "plains": list_of(filled_string, least=1),
    "pro_content": filled_string,
    "pro_title": filled_string,
    "prodType": filled_string,
    "province": filled_string,
    "task_first_class": filled_string,
    "task_second_class": filled_string,
    "triggerMode": filled_string,
    "user_id": string,
}
SUBSEQUENT = {
    "cdn_type": filled_string,
    "cpId": string,
    "domains": DOMAINS,
    "filelist": list_of(members({"name": filled_string})),
    "nameOfClient": filled_string,
    "numberOfDoamin": whole_number,
    **OPERATOR,
    "sourceBasis": filled_string,
    "sourceOfDemand": filled_string,
    "titleOfDemand": filled_string,
}
check_first = members({**SENDER, "flowKey": choice_of("tyywrwlc"), "data": members({"tyywrwlcdx": members(FIRST)})})
check_subsequent = members(
    {
        **SENDER,
        "code": filled_string,
        "createDate": bpm_time,
        "data": members(SUBSEQUENT),
        "processType": choice_of("2"),
        "prodType": filled_string,
        "province": filled_string,
        "userList": list_of(members({"userMail": string, "userName": string, "userTel": string})),
    }
)


def start(store: Store, call: SandboxRequest, body: dict) -> dict:
    code = _order_of(body)
    process = store.start_process(code, call.key, body)
    return {"code": 200, "message": "成功", "result": {"processId": process}}


def _order_of(body: dict) -> str:
    if "flowKey" in body:
        check_first("", body)
        return body["data"]["tyywrwlcdx"]["code"]
    if "processType" not in body:
        raise Refusal("flowKey", "缺少：flowKey 与 processType 至少要有一个")
    check_subsequent("", body)
    if body["data"]["numberOfDoamin"] != len(body["data"]["domains"]):
        raise Refusal("data.numberOfDoamin", "与 domains 的个数不符")
    return body["code"]
