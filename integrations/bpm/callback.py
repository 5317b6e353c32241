"""`POST /api/bpm/approvals`: BPM reports what its people decided (contract 3.6).

Every answer is JSON, `{"code": ..., "message": ...}`. The code is also the HTTP status.
"""

import logging

from django.http import HttpRequest
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations import request_body
from integrations.bpm.schema import MEANINGS, RECEIVED, documented
from integrations.bpm.serializers import ApprovalSerializer
from integrations.bpm.signature import is_signed
from integrations.old_secrets import CALLBACK_SECRET, note_use, which
from orders.content import content_hash
from orders.errors import OrderUnknownError, RecordConflictError
from orders.log_facts import note
from orders.restored_guard import is_restored
from orders.services.approvals import receive_approval

logger = logging.getLogger(__name__)

LONGEST_MESSAGE = 500  # characters; a message may quote what was sent


class RefusedError(Exception):
    """The call is refused; `status` is one of MEANINGS."""

    def __init__(self, status: int, message: str = ""):
        super().__init__(message or MEANINGS[status])
        self.status = status


class ApprovalsView(APIView):
    """Takes BPM's approval records. An unforeseen error is answered with 503, never 500, so that BPM sends again."""

    http_method_names = ["post"]
    parser_classes = [JSONParser]  # only for the schema: `_body` reads the body

    def perform_content_negotiation(self, request, force=False):
        """Chooses JSON whatever the caller says it accepts."""
        return JSONRenderer(), JSONRenderer.media_type

    @documented
    def post(self, request):
        """An approval record. The same record again gets the same answer and adds nothing."""
        receive(request)
        return _answer(200, RECEIVED)

    def handle_exception(self, exc):
        if isinstance(exc, RefusedError):
            note(why=str(exc)[:LONGEST_MESSAGE])
            return _answer(exc.status, str(exc))
        if isinstance(exc, MethodNotAllowed):
            return _answer(405, MEANINGS[405], {"Allow": "POST"})
        logger.error("an approval could not be received", exc_info=exc)
        return _answer(503, MEANINGS[503])


def receive(request: HttpRequest) -> None:
    """Checks the call and hands its record to the core. Raises RefusedError."""
    body = _body(request)
    given = request.headers.get("X-Signature", "")
    secret = which(CALLBACK_SECRET, lambda one: is_signed(body, given, one))
    if secret is None:
        raise RefusedError(401)
    note_use(CALLBACK_SECRET, secret)
    members = _members(body)
    record = _record(members)
    note(order=members["code"])
    if is_restored():  # the database may have lost the order that this is about, or what was decided before
        raise RefusedError(503, "nothing was stored: the database counts as restored")
    try:
        receive_approval(**record, body_hash=content_hash(members))
    except OrderUnknownError as error:
        raise RefusedError(404, str(error)) from None
    except RecordConflictError as error:
        raise RefusedError(409, str(error)) from None


def _answer(code: int, message: str, headers: dict | None = None) -> Response:
    return Response({"code": code, "message": message[:LONGEST_MESSAGE]}, status=code, headers=headers)


def _body(request: HttpRequest) -> bytes:
    """Reads the raw body, at most 2 MiB. Without a Content-Length, the server must mark its end."""
    announced = request.META.get("CONTENT_LENGTH") or ""
    if _is_too_long(announced):
        request_body.discard_body(request, endless=False)
        raise RefusedError(413)
    endless = not announced and bool(request.META.get("wsgi.input_terminated"))
    try:
        return request_body.read_body(request, endless=endless)
    except request_body.BodyBrokenError as error:
        raise RefusedError(400, str(error)) from None
    except request_body.BodyTooLargeError:
        raise RefusedError(413) from None


def _is_too_long(announced: str) -> bool:
    """Whether this Content-Length is more than we take. If it is not a number, the body counts as empty."""
    try:
        return int(announced or 0) > request_body.MAX_BODY_BYTES
    except ValueError:
        return False


def _members(body: bytes) -> dict:
    try:
        members = request_body.parse_bytes(body)
    except request_body.BadJsonError as error:
        raise RefusedError(400, f"body: {error}") from None
    for name, value in members.items():
        if _has_nul(name) or _has_nul(value):
            raise RefusedError(400, f"{name.replace(chr(0), '?')[:80]}: must not contain U+0000")
    return members


def _has_nul(value) -> bool:
    """Whether a JSON value holds U+0000 anywhere. PostgreSQL stores it in no text."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_has_nul(item) for item in value)


def _record(members: dict) -> dict:
    serializer = ApprovalSerializer(data=members)
    if not serializer.is_valid():
        raise RefusedError(400, "; ".join(f"{name}: {why[0]}" for name, why in serializer.errors.items()))
    return serializer.validated_data
