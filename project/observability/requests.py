"""What is noted of each request: an id, and a figure for /metrics."""

import re
import time
import uuid

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from integrations.counting import OTHER, count_inbound, count_login, count_page
from project.observability.logs import request_id

SAFE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
SOURCES = {"/api/bboss/": "bboss", "/api/bpm/": "bpm", "/api/orders/": "api", "/api/customers/": "api"}
MACHINES = ("/livez", "/readyz", "/metrics", f"/{settings.STATIC_URL.strip('/')}/")
LOGIN = "admin:login"


class RequestMiddleware:
    """Gives every request an id and sends it back. A harmless X-Request-Id is kept. Counts it."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        given = request.headers.get("X-Request-Id", "")
        number = given if SAFE_ID.fullmatch(given) else uuid.uuid4().hex
        token, began = request_id.set(number), time.monotonic()
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        response["X-Request-Id"] = number
        count_request(request, response, time.monotonic() - began)
        return response


def count_request(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """Counts a call of another system, or a page of staff by its view's name."""
    source = next((name for start, name in SOURCES.items() if request.path.startswith(start)), "")
    if source:
        count_inbound(source, code_of(response), seconds)
    elif not request.path.startswith(MACHINES):
        match = request.resolver_match
        count_page((match and match.view_name) or OTHER, seconds)
        if match and match.view_name == LOGIN and request.method == "POST":
            outcomes = {302: "let_in", settings.AXES_HTTP_RESPONSE_CODE: "locked"}
            count_login("password", outcomes.get(response.status_code, "refused"))


def code_of(response: HttpResponse) -> str:
    """The rspCode of an answer to BBOSS, else the HTTP status."""
    data = getattr(response, "data", None)
    said = data.get("response") if isinstance(data, dict) else None
    return said["rspCode"] if isinstance(said, dict) and "rspCode" in said else str(response.status_code)
