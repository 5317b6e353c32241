"""Records each request. It gets an id and a trace, a count for /metrics, and a log line."""

import logging
import re
import secrets
import time
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from integrations.base import orders_not_stored
from integrations.base.counters import OTHER, count_inbound, count_login, count_page
from integrations.bboss.caller_limits import caller_address
from integrations.bboss.reply_codes import Code
from integrations.outbound.wire_formats import trace_of
from orders.history.log_facts import log_facts
from orders.lists.live_pages import is_poll
from project.base.logs import callers_outage
from project.base.middleware import Middleware

log = logging.getLogger(__name__)
LONGEST_PATH = 500
SAFE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
SOURCES = {"/api/bboss/": "bboss", "/api/bpm/": "bpm", "/api/orders/": "api", "/api/customers/": "api"}
MACHINES = ("/livez", "/readyz", "/metrics", f"/{settings.STATIC_URL.strip('/')}/")
LOGIN = "admin:login"
NOT_STORED = Code.OUR_FAULT.value.number
ASK_THE_DATABASE = (*SOURCES, "/admin/orders/")  # a 200 of these shows that the database works


class RequestMiddleware(Middleware):
    """Gives every request an id, and returns it as X-Request-Id. Keeps an id that the request already has, if it is
    harmless. Counts and logs the request."""

    def __call__(self, request):
        given = request.headers.get("X-Request-Id", "")
        number = given if SAFE_ID.fullmatch(given) else secrets.token_hex(16)
        began = time.monotonic()
        about = {
            "request": number,
            "trace": trace_of(request.headers.get("traceparent", "")),
            "caller": caller_address(request.META),
            "path": quote(request.path)[:LONGEST_PATH],  # without the query string, which has what people search for
        }
        with log_facts(**about) as facts:
            response = self.get_response(request)
            seconds = round(time.monotonic() - began, 4)
            if not (response.status_code == 204 and is_poll(request)):  # not logged: open pages poll all day long
                count_request(request, response, seconds)
                write_line(request, response, facts, seconds)
        response["X-Request-Id"] = number
        return response


def write_line(request: HttpRequest, response: HttpResponse, facts: dict, seconds: float) -> None:
    """Writes one log line for a request. `why` in `facts` is the reason of a refusal, for our own staff."""
    status, code = response.status_code, code_of(response) if request.path.startswith("/api/") else ""
    if status == 503:
        callers_outage.refuse()
    elif status == 200 and request.path.startswith(ASK_THE_DATABASE):
        callers_outage.over()
    why, said = facts.get("why"), f" {code}" if code not in {"", str(status)} else ""
    log.info(
        "%s %s %s %s%s %.3f s%s",
        *(facts["caller"] or "-", request.method, facts["path"], status, said, seconds, f": {why}" if why else ""),
        extra={"status": status, "seconds": seconds, "code": code},
    )


def count_request(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """Counts a call of another system, or a page of staff. A page is counted by the name of its view."""
    source = next((name for start, name in SOURCES.items() if request.path.startswith(start)), "")
    if source:
        code = code_of(response)
        count_inbound(source, code, seconds)
        if source == "bboss" and code == NOT_STORED:
            orders_not_stored.count_order_not_stored()
    elif not request.path.startswith(MACHINES):
        match = request.resolver_match
        count_page((match and match.view_name) or OTHER, seconds)
        if match and match.view_name == LOGIN and request.method == "POST":
            if response.headers.get("Location") == reverse("admin:login_code"):
                return  # that page counts the outcome
            outcomes = {302: "let_in", settings.AXES_HTTP_RESPONSE_CODE: "locked"}
            count_login("password", outcomes.get(response.status_code, "refused"))


def code_of(response: HttpResponse) -> str:
    """Returns the rspCode of a response to BBOSS. For other responses, returns the HTTP status."""
    data = getattr(response, "data", None)
    said = data.get("response") if isinstance(data, dict) else None
    return said["rspCode"] if isinstance(said, dict) and "rspCode" in said else str(response.status_code)
