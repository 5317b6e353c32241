"""The page at `/`, which shows people what the sandbox holds. The template escapes every value."""

from pathlib import Path

from django.template import Context, Engine

from integrations.sandbox.faults import KINDS
from integrations.sandbox.http_messages import compact
from integrations.sandbox.partners import PATHS, Partners

SHOWN = 50
ENGINE = Engine(dirs=[Path(__file__).parent], autoescape=True)
FAULT_NAMES = {
    "409": "HTTP 409：键已用过（未执行）",
    "slow": "延迟应答",
    "slow_drip": "逐字节应答",
    "reset": "断开连接（未执行）",
    "reset_after": "执行后断开连接",
    "garbage": "非 JSON 应答",
    "refusal": "业务拒绝",
}
RESULT_NAMES = {"pass": "同意", "reject": "驳回"}
VIOLATION_NAMES = {"key_reused": "同一个键、内容不同", "started_twice": "同一工单重复发起"}


def render(partners: Partners) -> str:
    notice, partners.notice = partners.notice, None
    state = partners.store.state(calls=SHOWN)
    shown = {
        "notice": notice,
        "callback": partners.callback,
        "paths": PATHS,
        "kinds": [(kind, fault_name(kind)) for kind in KINDS],
        "results": RESULT_NAMES.items(),
        "counts": state["counts"],
        "delay": partners.delay,
        "records": state["records"][: -SHOWN - 1 : -1],
        "processes": [_process(process) for process in state["processes"][: -SHOWN - 1 : -1]],
        "calls": [_call(call) for call in reversed(state["calls"])],
        "faults": [{**fault, "name": fault_name(fault["kind"])} for fault in partners.faults.left()],
        "violations": [
            {**found, "at": _short(found["at"]), "name": VIOLATION_NAMES[found["kind"]]}
            for found in state["violations"][: -SHOWN - 1 : -1]
        ],
    }
    return ENGINE.get_template("page.html").render(Context(shown))


def fault_name(kind: str | None) -> str:
    return FAULT_NAMES.get(kind, f"HTTP {kind}") if kind else ""


def _process(process: dict) -> dict:
    data = process["body"]["data"]
    first = "flowKey" in process["body"]
    return {
        **process,
        "at": _short(process["at"]),
        "form": "首次开通（tyywrwlc）" if first else "非首次开通（类型 2）",
        "client": (data["tyywrwlcdx"] if first else data)["nameOfClient"],
    }


def _call(call: dict) -> dict:
    return {
        **call,
        "at": _short(call["at"]),
        "body": _text(call["body"]),
        "answer": _text(call["answer"]),
        "fault": fault_name(call["fault"]),
        "tone": _tone(call),
        "result": _result(call),
    }


def _tone(call: dict) -> str:
    if call["took"] is None:
        return "blue"
    if call["status"] == 200 and isinstance(call["answer"], dict) and call["answer"].get("code", 200) == 200:
        return "green"
    return "red"


def _result(call: dict) -> str:
    if call["took"] is None:
        return "处理中"
    if call["status"] is None:
        return "无应答"
    inner = call["answer"].get("code", 200) if isinstance(call["answer"], dict) else "非 JSON"
    return f"{call['status']} / {inner}"


def _short(at: str) -> str:
    """`2023-09-20 18:54:36` from an ISO time."""
    return at[:19].replace("T", " ")


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else compact(value)
