"""The sandbox's own addresses, which no partner has. They show the state, set faults and empty the sandbox."""

from pathlib import Path
from urllib.parse import parse_qs

import requests

from integrations.sandbox.approve import approve, check_loopback
from integrations.sandbox.faults import FaultError, check_seconds, parse_fault
from integrations.sandbox.http_messages import SandboxResponse, json_response
from integrations.sandbox.page import RESULT_NAMES, fault_name, render
from integrations.sandbox.partners import PATHS, Partners
from integrations.sandbox.store import KEPT_CALLS
from integrations.sandbox.validation import Refusal, filled_string, parse_body

STYLE = (Path(__file__).parent / "style.css").read_bytes()
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}


def show_page(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    return SandboxResponse(200, render(partners).encode(), PAGE_HEADERS, "text/html; charset=utf-8")


def show_style(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    return SandboxResponse(200, STYLE, content_type="text/css; charset=utf-8")


def show_state(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    """`GET /state[?calls=N]`: records, processes, flows, calls, counts, violations, faults, delay, strict."""
    state = partners.store.state(calls=_limit(query))
    now = {"faults": partners.faults.left(), "delay": partners.delay, "strict": partners.strict}
    return json_response({**state, **now})


def show_calls(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    """`GET /calls[?path=...][&order=...][&calls=N]`: `{"calls": [...]}`, oldest first."""
    found = partners.store.calls(path=query.get("path"), order=query.get("order"), limit=_limit(query))
    return json_response({"calls": found})


def _limit(query: dict) -> int:
    asked = query.get("calls", str(KEPT_CALLS))
    if not (asked.isascii() and asked.isdecimal()):
        raise FaultError("calls: must be a whole number")
    return min(int(asked), KEPT_CALLS)


def show_faults(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    """`GET /faults`: `{"faults": [...]}`, each with its remaining count."""
    return json_response({"faults": partners.faults.left()})


def add_fault(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    partners.faults.add(parse_fault(parse_body(body), PATHS))
    return show_faults(partners, query, body)


def clear_faults(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    partners.faults.clear()
    return show_faults(partners, query, body)


def set_delay(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    """`POST /delay` with `{"seconds": 0.005}`: every answer of a partner takes that long."""
    partners.delay = check_seconds(parse_body(body).get("seconds"))
    return json_response({"delay": partners.delay})


def set_strict(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    """`POST /strict` with `{"strict": true}`: from now on big data refuses to cancel a record that it does not hold."""
    strict = parse_body(body).get("strict")
    if not isinstance(strict, bool):
        raise FaultError("strict: must be true or false")
    partners.strict = strict
    return json_response({"strict": strict})


def set_flow(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    """`POST /flows` with `{"jobId": "...", "dataflow": 1.5, "plain": false}`: sets a trial's traffic."""
    asked = parse_body(body)
    filled_string("jobId", asked.get("jobId"))
    dataflow, plain = asked.get("dataflow"), asked.get("plain", False)
    if isinstance(dataflow, bool) or not isinstance(dataflow, (int, float)) or not abs(dataflow) < 1e300:
        raise FaultError("dataflow: must be a number")
    if not isinstance(plain, bool):
        raise FaultError("plain: must be true or false")
    partners.store.set_flow(asked["jobId"], float(dataflow), plain=plain)
    return json_response({"jobId": asked["jobId"], "dataflow": float(dataflow), "plain": plain})


def reset(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    partners.reset()
    return json_response({"code": 200, "message": "已清空"})


def send_approval(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    """`POST /approve`: sends BPM's callback to the desk, or to `url` if given. 502 if nobody answers there."""
    asked = parse_body(body)
    try:
        return json_response(approve(partners.store, asked, asked.get("url", partners.callback)))
    except requests.RequestException as error:
        return json_response({"code": 502, "message": f"url: {error}"}, status=502)


def set_callback(partners: Partners, query: dict, body: bytes) -> SandboxResponse:
    """`POST /callback` with `{"url": "http://127.0.0.1:8000/api/bpm/approvals"}`: sets where approvals go."""
    url = parse_body(body).get("url")
    check_loopback(url)
    partners.callback = url
    return json_response({"url": url})


# --- the page's forms: they work without scripts and lead back to the page, which shows the result


def page_fault(partners: Partners, form: dict) -> str:
    asked = {"path": form.get("path"), "kind": form.get("kind"), "count": _number(form.get("count", "1"))}
    if form.get("seconds"):
        asked["seconds"] = _number(form["seconds"])
    fault = parse_fault(asked, PATHS)
    partners.faults.add(fault)
    return f"已设置故障：{fault_name(fault.kind)}，{fault.path}，{fault.count} 次"


def _number(text: str) -> object:
    """A whole number. Any other text is returned as it is, so that the check can name it."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else text


def page_clear(partners: Partners, form: dict) -> str:
    partners.faults.clear()
    return "已清除全部故障"


def page_approve(partners: Partners, form: dict) -> str:
    """`POST /page/approve`: has BPM approve or reject. Raises Refusal if the desk does not take the approval."""
    try:
        came = approve(partners.store, form, partners.callback)
    except requests.RequestException as error:
        raise Refusal("订单台", f"{partners.callback} 没有应答（{type(error).__name__}）") from error
    if came["status"] != 200:
        raise Refusal("订单台", f"{partners.callback} 应答 HTTP {came['status']}")
    return f"{form['code']}：已回调“{RESULT_NAMES[form['result']]}”，订单台应答 HTTP 200"


FORMS = {"/page/faults": page_fault, "/page/clear": page_clear, "/page/approve": page_approve}


def submit(partners: Partners, path: str, body: bytes) -> SandboxResponse:
    """Does what a form of the page asks for, then leads back to the page (303) with a notice."""
    form = {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}
    try:
        partners.notice = (True, FORMS[path](partners, form))
    except (FaultError, Refusal) as error:
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
    ("POST", "/delay"): set_delay,
    ("POST", "/strict"): set_strict,
    ("POST", "/flows"): set_flow,
    ("POST", "/reset"): reset,
    ("POST", "/approve"): send_approval,
    ("POST", "/callback"): set_callback,
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
    except (FaultError, Refusal) as error:
        return json_response({"code": 400, "message": str(error)}, status=400)
