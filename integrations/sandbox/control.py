"""The sandbox's control endpoints, which real partners lack. They show the state, set faults and reset the sandbox.

The page at `/` uses these endpoints. Its forms work without scripts and redirect to the page.
"""

import re
from pathlib import Path
from urllib.parse import parse_qs

import requests
from django.template import Context, Engine

from integrations.sandbox.faults import FAULT_KINDS, parse_fault
from integrations.sandbox.http_messages import SandboxResponse, compact, json_response
from integrations.sandbox.partners import PATHS, Partners
from integrations.sandbox.send_callback import approve
from integrations.sandbox.store import KEPT_CALLS
from integrations.sandbox.validation import Refusal, parse_body


def show_state(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    """`GET /state[?calls=N]`: returns records, processes, flows, calls, counts, violations, faults and strict."""
    state = partners.store.state(calls=_limit(query))
    return json_response({**state, "faults": partners.faults.left(), "strict": partners.strict})


def show_calls(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    """`GET /calls[?path=...][&order=...][&calls=N]`: returns `{"calls": [...]}`, oldest first."""
    found = partners.store.calls(path=query.get("path"), order=query.get("order"), limit=_limit(query))
    return json_response({"calls": found})


def _limit(query: dict) -> int:
    asked = query.get("calls", str(KEPT_CALLS))
    if not (asked.isascii() and asked.isdecimal()):
        raise Refusal("calls", "must be a whole number")
    return min(int(asked), KEPT_CALLS)


def show_faults(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    """`GET /faults`: returns `{"faults": [...]}`, each fault with its remaining count."""
    return json_response({"faults": partners.faults.left()})


def add_fault(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    partners.faults.add(parse_fault(parse_body(body), PATHS))
    return show_faults(partners, query, body)


def clear_faults(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    partners.faults.clear()
    return show_faults(partners, query, body)


def set_strict(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    """`POST /strict` with `{"strict": true}`: big data then refuses to cancel a record that it does not have."""
    strict = parse_body(body).get("strict")
    if not isinstance(strict, bool):
        raise Refusal("strict", "must be true or false")
    partners.strict = strict
    return json_response({"strict": strict})


def reset(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    partners.reset()
    return json_response({"code": 200, "message": "已清空"})


def send_approval(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    """`POST /approve`: sends BPM's callback to the desk, or to `url` if given. If the desk can't be reached, responds
    with 502."""
    asked, how = parse_body(body), partners.dialect.profile.bpm.callback
    try:
        return json_response(approve(partners.store, asked, asked.get("url", partners.callback), how))
    except requests.RequestException as error:
        return json_response({"code": 502, "message": f"url: {error}"}, status=502)


# --- the page

STYLE = (Path(__file__).parent / "style.css").read_bytes()
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}
SHOWN = 50
PAGE = Engine().from_string((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))
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


def show_page(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    notice, partners.notice = partners.notice, None
    state = partners.store.state(calls=SHOWN)
    shown = {
        "notice": notice,
        "callback": partners.callback,
        "paths": PATHS,
        "kinds": [(kind, _fault_name(kind)) for kind in FAULT_KINDS],
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
    html = PAGE.render(Context(shown))
    return SandboxResponse(200, html.encode(), PAGE_HEADERS, "text/html; charset=utf-8")


def show_style(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    return SandboxResponse(200, STYLE, content_type="text/css; charset=utf-8")


def _fault_name(kind: str | None) -> str:
    return FAULT_NAMES.get(kind, f"HTTP {kind}") if kind else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else compact(value)


FORMS = {
    "/page/faults": (add_fault, "已设置故障"),
    "/page/clear": (clear_faults, "已清除全部故障"),
    "/page/approve": (send_approval, ""),  # the desk's response says more
}
NUMBERS = ("count", "seconds")


def submit(partners: Partners, path: str, body: bytes) -> SandboxResponse:
    """Processes a form of the page, then redirects to the page (303) with a notice."""
    act, done = FORMS[path]
    form = {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}
    form |= {name: int(form[name]) for name in NUMBERS if re.fullmatch(r"\d{1,9}", form.get(name, ""), re.ASCII)}
    try:
        answer = act(partners, {}, compact(form).encode())
        partners.notice = (answer.status == 200, done or answer.body.decode())
    except Refusal as error:
        partners.notice = (False, str(error))
    return SandboxResponse(303, b"", {"Location": "/"})


ROUTES = {
    ("GET", "/"): show_page,
    ("GET", "/style.css"): show_style,
    ("GET", "/state"): show_state,
    ("GET", "/calls"): show_calls,
    ("GET", "/faults"): show_faults,
    ("POST", "/faults"): add_fault,
    ("DELETE", "/faults"): clear_faults,
    ("POST", "/strict"): set_strict,
    ("POST", "/reset"): reset,
    ("POST", "/approve"): send_approval,
}


def control(partners: Partners, method: str, path: str, query: str, body: bytes) -> SandboxResponse:
    if method == "POST" and path in FORMS:
        return submit(partners, path, body)
    route = ROUTES.get((method, path))
    if route is None:
        return json_response({"code": 404, "message": f"{method} {path}: no such address"}, status=404)
    wanted = {name: values[-1] for name, values in parse_qs(query).items()}
    try:
        return route(partners, wanted, body)
    except Refusal as error:
        return json_response({"code": 400, "message": str(error)}, status=400)
