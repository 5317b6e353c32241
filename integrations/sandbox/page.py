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
RESULTS = [("pass", "同意"), ("reject", "驳回")]


def render(partners: Partners) -> str:
    notice, partners.notice = partners.notice, None
    state = partners.store.state(calls=SHOWN)
    shown = {
        "notice": notice,
        "callback": partners.callback,
        "paths": PATHS,
        "kinds": [(kind, _fault_name(kind)) for kind in KINDS],
        "results": RESULTS,
        "counts": state["counts"],
        "records": state["records"][: -SHOWN - 1 : -1],
        "processes": [{**row, "body": compact(row["body"])} for row in state["processes"][: -SHOWN - 1 : -1]],
        "calls": [
            {**row, "body": _text(row["body"]), "answer": _text(row["answer"]), "fault": _fault_name(row["fault"])}
            for row in reversed(state["calls"])
        ],
        "faults": [{**fault, "name": _fault_name(fault["kind"])} for fault in partners.faults.left()],
        "violations": state["violations"][: -SHOWN - 1 : -1],
    }
    return ENGINE.get_template("page.html").render(Context(shown))


def _fault_name(kind: str | None) -> str:
    return FAULT_NAMES.get(kind, f"HTTP {kind}") if kind else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else compact(value)
