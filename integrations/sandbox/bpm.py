"""The process platform: starts a flow, in either of its two forms (contract section 3.4)."""

from integrations.sandbox.calls import Call
from integrations.sandbox.shapes import Refusal, bpm_time, list_of, members, one_of, text, whole, words
from integrations.sandbox.store import Store

SENDER = {"accessSystem": text, "account": text}
OPERATOR = {"operMail": words, "operTel": words, "operUser": words}
DOMAINS = list_of(text, least=1)

FIRST = {
    "businessStartTime": bpm_time,
    "cdn_type": text,
    "code": text,
    "createDate": bpm_time,
    "create_time": bpm_time,
    "domains": DOMAINS,
    "nameOfClient": text,
    **OPERATOR,
    "plains": list_of(text, least=1),
    "pro_content": text,
    "pro_title": text,
    "prodType": text,
    "province": text,
    "task_first_class": text,
    "task_second_class": text,
    "triggerMode": text,
    "user_id": words,
}
SUBSEQUENT = {
    "cdn_type": text,
    "cpId": words,
    "domains": DOMAINS,
    "filelist": list_of(members({"name": text})),
    "nameOfClient": text,
    "numberOfDoamin": whole,
    **OPERATOR,
    "sourceBasis": text,
    "sourceOfDemand": text,
    "titleOfDemand": text,
}
check_first = members({**SENDER, "flowKey": one_of("tyywrwlc"), "data": members({"tyywrwlcdx": members(FIRST)})})
check_subsequent = members(
    {
        **SENDER,
        "code": text,
        "createDate": bpm_time,
        "data": members(SUBSEQUENT),
        "processType": one_of("2"),
        "prodType": text,
        "province": text,
        "userList": list_of(members({"userMail": words, "userName": words, "userTel": words})),
    }
)


def start(store: Store, call: Call, body: dict) -> dict:
    """`POST /flows/start`: checks the form, starts a process and answers its processId."""
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
