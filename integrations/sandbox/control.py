"""The sandbox's own addresses: looking at it, setting faults, emptying it. No partner has these."""

from pathlib import Path
from urllib.parse import parse_qs

import requests

from integrations.sandbox.approve import approve
from integrations.sandbox.calls import Answer, json_answer
from integrations.sandbox.faults import FaultError, check_seconds, parse_fault
from integrations.sandbox.page import render
from integrations.sandbox.partners import PATHS, Partners
from integrations.sandbox.shapes import Refusal, parse, text
from integrations.sandbox.store import KEPT_CALLS

STYLE = (Path(__file__).parent / "style.css").read_bytes()
PAGE_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'self'", "X-Content-Type-Options": "nosniff"}


def show_page(partners: Partners, query: dict, body: bytes) -> Answer:
    """`GET /`: the page."""
    return Answer(200, render(partners).encode(), PAGE_HEADERS, "text/html; charset=utf-8")


def show_style(partners: Partners, query: dict, body: bytes) -> Answer:
    """`GET /style.css`."""
    return Answer(200, STYLE, content_type="text/css; charset=utf-8")


def show_state(partners: Partners, query: dict, body: bytes) -> Answer:
    """`GET /state[?calls=N]`: records, processes, flows, calls, counts, violations, faults, delay."""
    state = partners.store.state(calls=_limit(query))
    return json_answer({**state, "faults": partners.faults.left(), "delay": partners.delay})


def show_calls(partners: Partners, query: dict, body: bytes) -> Answer:
    """`GET /calls[?path=...][&order=...][&calls=N]`: `{"calls": [...]}`, oldest first."""
    found = partners.store.calls(path=query.get("path"), order=query.get("order"), limit=_limit(query))
    return json_answer({"calls": found})


def _limit(query: dict) -> int:
    asked = query.get("calls", str(KEPT_CALLS))
    if not (asked.isascii() and asked.isdecimal()):
        raise FaultError("calls: must be a whole number")
    return min(int(asked), KEPT_CALLS)


def show_faults(partners: Partners, query: dict, body: bytes) -> Answer:
    """`GET /faults`: `{"faults": [...]}`, what is left of each."""
    return json_answer({"faults": partners.faults.left()})


def add_fault(partners: Partners, query: dict, body: bytes) -> Answer:
    """`POST /faults`: sets one more."""
    partners.faults.add(parse_fault(parse(body), PATHS))
    return show_faults(partners, query, body)


def clear_faults(partners: Partners, query: dict, body: bytes) -> Answer:
    """`DELETE /faults`: clears them."""
    partners.faults.clear()
    return show_faults(partners, query, body)


def set_delay(partners: Partners, query: dict, body: bytes) -> Answer:
    """`POST /delay` with `{"seconds": 0.005}`: every partner answer takes that long."""
    partners.delay = check_seconds(parse(body).get("seconds"))
    return json_answer({"delay": partners.delay})


def set_flow(partners: Partners, query: dict, body: bytes) -> Answer:
    """`POST /flows` with `{"jobId": "...", "dataflow": 1.5, "plain": false}`: a trial's traffic."""
    asked = parse(body)
    text("jobId", asked.get("jobId"))
    dataflow, plain = asked.get("dataflow"), asked.get("plain", False)
    if isinstance(dataflow, bool) or not isinstance(dataflow, (int, float)) or not abs(dataflow) < 1e300:
        raise FaultError("dataflow: must be a number")
    if not isinstance(plain, bool):
        raise FaultError("plain: must be true or false")
    partners.store.set_flow(asked["jobId"], float(dataflow), plain=plain)
    return json_answer({"jobId": asked["jobId"], "dataflow": float(dataflow), "plain": plain})


def reset(partners: Partners, query: dict, body: bytes) -> Answer:
    """`POST /reset`: empties it."""
    partners.reset()
    return json_answer({"code": 200, "message": "已清空"})


def send_approval(partners: Partners, query: dict, body: bytes) -> Answer:
    """`POST /approve`: has BPM call back; 502 when nobody answers at the url."""
    try:
        return json_answer(approve(partners.store, parse(body)))
    except requests.RequestException as error:
        return json_answer({"code": 502, "message": f"url: {error}"}, status=502)


ROUTES = {
    ("GET", "/"): show_page,
    ("GET", "/style.css"): show_style,
    ("GET", "/state"): show_state,
    ("GET", "/calls"): show_calls,
    ("GET", "/faults"): show_faults,
    ("POST", "/faults"): add_fault,
    ("DELETE", "/faults"): clear_faults,
    ("POST", "/delay"): set_delay,
    ("POST", "/flows"): set_flow,
    ("POST", "/reset"): reset,
    ("POST", "/approve"): send_approval,
}


def control(partners: Partners, method: str, path: str, query: str, body: bytes) -> Answer:
    """Answers one of the addresses above; 400 with the reason for a bad request, 404 for an unknown address."""
    route = ROUTES.get((method, path))
    if route is None:
        return json_answer({"code": 404, "message": f"{method} {path}: no such address"}, status=404)
    wanted = {name: values[-1] for name, values in parse_qs(query).items()}
    try:
        return route(partners, wanted, body)
    except (FaultError, Refusal) as error:
        return json_answer({"code": 400, "message": str(error)}, status=400)
