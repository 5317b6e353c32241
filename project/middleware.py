"""Request numbers, how long the database may take, and the content security policy."""

import re
import uuid

from integrations.database_deadline import INTAKE, INTAKE_STATEMENT, LOOK, PAGE, database_deadline
from integrations.inbound.body import LARGEST
from project.observability.logs import request_id

BYTES_A_SECOND = 32 * 1024  # of an order's body, beyond the time that each has: several times what a slow disk needs
SAFE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class RequestIdMiddleware:
    """Gives every request a number, taken from X-Request-Id where that is harmless, and sends it back."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        given = request.headers.get("X-Request-Id", "")
        number = given if SAFE_ID.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(number)
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        response["X-Request-Id"] = number
        return response


class DatabaseDeadlineMiddleware:
    """Bounds the time that the database may take for a request as a whole, connecting included.

    An order of twenty thousand domains takes its time; a database that does not answer is noticed as soon there.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.path.startswith("/api/"):
            bound = database_deadline(INTAKE + _size(request.META) / BYTES_A_SECOND, statement=INTAKE_STATEMENT)
        else:
            bound = database_deadline(LOOK if request.path == "/readyz" else PAGE)
        with bound:
            return self.get_response(request)


def _size(meta: dict) -> int:
    """The announced length of the body; the most that is read where none, or nonsense, is announced."""
    given = meta.get("CONTENT_LENGTH") or ""
    return min(int(given), LARGEST) if given.isascii() and given.isdecimal() and len(given) < 10 else LARGEST


class ContentSecurityPolicyMiddleware:
    """Only our own files run in a staff member's browser: no inline code, nothing from elsewhere."""

    POLICY = (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; "
        "frame-ancestors 'none'; form-action 'self'"
    )

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.POLICY)
        return response
