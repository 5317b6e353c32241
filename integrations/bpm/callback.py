"""`POST /api/bpm/approvals`: receives the decisions of BPM's users (contract 3.6), in the profile's format (7.1).

Every response is JSON, `{"code": ..., "message": ...}`. The code equals the HTTP status.
"""

import hmac
import logging

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.base import strict_json
from integrations.base.old_secrets import CALLBACK_SECRET, matching_secret, note_use
from integrations.bboss.caller_limits import caller_address, is_among
from integrations.bpm.callback_openapi import STATUS_MEANINGS, documented
from integrations.bpm.callback_reading import Approval, BadCallbackError, members_of, read_approval
from integrations.bpm.callback_signature import is_signed
from integrations.bpm.kept_callbacks import Call, keep_refused, keep_until_known
from orders.bpm.received_decisions import receive_approval
from orders.history.log_facts import note
from orders.queries.order_of_process import order_of_process
from orders.restore.detect_restore import is_restored
from orders.texts.errors import OrderUnknownError, RecordConflictError

logger = logging.getLogger(__name__)

TOKEN, ADDRESSES = "token", "addresses"  # values of the profile's check of the caller; the third value is the signature
LONGEST_MESSAGE = 500  # characters; a message may quote the request


class RefusedError(Exception):
    """The call is refused. `status` is one of STATUS_MEANINGS."""

    def __init__(self, status: int, message: str = ""):
        super().__init__(message or STATUS_MEANINGS[status])
        self.status = status


class ApprovalsView(APIView):
    """Receives BPM's approval records. After an unexpected error the response is 503, never 500, so that BPM repeats
    the call."""

    http_method_names = ["post"]
    parser_classes = [JSONParser]  # only for the schema: `_body` reads the body

    def perform_content_negotiation(self, request, force=False):
        """Selects JSON, whatever the Accept header says."""
        return JSONRenderer(), JSONRenderer.media_type

    @documented
    def post(self, request):
        """Receives an approval record. If BPM sends a record again, the response is the same and nothing is added."""
        self.call = Call(address=caller_address(request.META))
        receive(request, self.call)
        return Response(dict(settings.PARTNERS.bpm.callback.answer))

    def handle_exception(self, exc):
        if isinstance(exc, RefusedError):
            note(why=str(exc)[:LONGEST_MESSAGE])
            if exc.status != 503:
                keep_refused(self.call, exc.status, str(exc)[:LONGEST_MESSAGE])
            return _answer(exc.status, str(exc))
        if isinstance(exc, MethodNotAllowed):
            return _answer(405, STATUS_MEANINGS[405], {"Allow": "POST"})
        logger.error("an approval could not be received", exc_info=exc)
        return _answer(503, STATUS_MEANINGS[503])


def receive(request: HttpRequest, call: Call) -> None:
    """Checks the request, stores the known facts in `call`, and passes the record to the core. Raises RefusedError."""
    call.body = _body(request)
    _authenticate(request, call)
    try:
        call.members = members_of(call.body)
        said = read_approval(call.members)
    except BadCallbackError as error:
        raise RefusedError(400, str(error)) from None
    note(order=said.number)
    if is_restored():  # the database may have lost this order, or earlier decisions
        raise RefusedError(503, "nothing was stored: the database counts as restored")
    try:
        _pass_to_core(call, said)
    except OrderUnknownError as error:
        raise RefusedError(404, str(error)) from None
    except RecordConflictError as error:
        raise RefusedError(409, str(error)) from None


def _authenticate(request: HttpRequest, call: Call) -> None:
    """Raises RefusedError if the caller does not pass the profile's check."""
    how = settings.PARTNERS.bpm.callback
    if (settings.BPM_ALLOWED_IPS or how.check == ADDRESSES) and not is_among(call.address, settings.BPM_ALLOWED_IPS):
        raise RefusedError(401, f"the address {call.address or 'of nobody'} is not in BPM_ALLOWED_IPS")
    if how.check != ADDRESSES:
        given = request.headers.get(how.header, "")
        secret = matching_secret(CALLBACK_SECRET, lambda one: _is_valid(how.check, call.body, given, one))
        if secret is None:
            raise RefusedError(401, "wrong token" if how.check == TOKEN else "")
        note_use(CALLBACK_SECRET, secret)
    call.signed = True


def _is_valid(check: str, body: bytes, given: str, secret: str) -> bool:
    if check == TOKEN:
        return hmac.compare_digest(given.strip().encode(), secret.encode())
    return is_signed(body, given, secret)


def _pass_to_core(call: Call, said: Approval) -> None:
    number = said.number
    if said.process:
        order = order_of_process(said.process, now=timezone.now())
        if order is None:
            keep_until_known(call, said)
            return
        number = order.number
        note(order=number)
    receive_approval(number=number, **said.record, body_hash=said.body_hash)


def _answer(code: int, message: str, headers: dict | None = None) -> Response:
    return Response({"code": code, "message": message[:LONGEST_MESSAGE]}, status=code, headers=headers)


def _body(request: HttpRequest) -> bytes:
    """Returns the raw body, at most 2 MiB. If a body has no Content-Length, it is read only if the server marks its
    end. Raises RefusedError."""
    announced = request.META.get("CONTENT_LENGTH") or ""
    if _is_too_long(announced):
        strict_json.discard_body(request, without_length=False)
        raise RefusedError(413)
    without_length = not announced and bool(request.META.get("wsgi.input_terminated"))
    try:
        return strict_json.read_body(request, without_length=without_length)
    except strict_json.BodyBrokenError as error:
        raise RefusedError(400, str(error)) from None
    except strict_json.BodyTooLargeError:
        raise RefusedError(413) from None


def _is_too_long(announced: str) -> bool:
    """Returns True if this Content-Length is above the limit. An invalid Content-Length is treated as 0."""
    try:
        return int(announced or 0) > strict_json.MAX_BODY_BYTES
    except ValueError:
        return False
