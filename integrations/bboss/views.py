"""`POST /api/bboss/orders` (contract section 2): processes a call from the HTTP request to the response.

Readable messages are stored, whether they are accepted or refused. Only the beginning of unsigned messages is stored,
and only up to a rate (contract 2.3). If the response is 503, nothing is stored.
"""

import hashlib
import json
import logging
import uuid

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.base import strict_json
from integrations.base.other_desk import has_other_profile
from integrations.bboss import caller_limits, envelope_checks
from integrations.bboss.message_decoding import Wire, brief_content, check_type, content_in, ours, parsed, text_in
from integrations.bboss.openapi import documented
from integrations.bboss.order_fields import (
    bad,
    content_of,
    is_withdrawal,
    order_number_in,
    order_number_of,
    read_order,
    read_withdrawal,
)
from integrations.bboss.reply_codes import BizCode, Code, InboundCall, Refused, Reply, reply, result_of
from integrations.outbound.wire_formats import encode
from orders.history.log_facts import note
from orders.intake.receive import keep_message, receive_order
from orders.models import InboundMessage
from orders.replanning.withdrawal import withdraw_order
from orders.restore.detect_restore import is_restored
from orders.rules.content import Receipt, content_hash
from orders.texts import errors

logger = logging.getLogger(__name__)
BIZ_CODES = {
    errors.OrderConflictError: BizCode.CONFLICT,
    errors.OrderUnknownError: BizCode.UNKNOWN,
    errors.TrialClaimedError: BizCode.CLAIMED,
}


class AlwaysJson(BaseContentNegotiation):
    """Selects JSON, whatever the Accept header says, because the gateway must be able to read every response."""

    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


class OrdersView(APIView):
    """Receives BBOSS's orders. Every response has the form of contract 2.3, even after an error."""

    http_method_names = ["post"]  # contract 2.3 requires 405 for all other methods, even OPTIONS
    content_negotiation_class = AlwaysJson
    parser_classes = [JSONParser]  # only for the schema: `read_message` reads the body

    @documented
    def post(self, request):
        """An order: a trial, a trial change, an activation, or the withdrawal of an order (contract section 2)."""
        return _response(answer(request))

    def handle_exception(self, exc):
        if isinstance(exc, MethodNotAllowed):
            return _response(refuse(Code.NOT_POST, self.request.META))
        logger.error("a call failed before it was looked at", exc_info=exc)
        return _response(refuse(Code.OUR_FAULT, self.request.META))


def _response(reply: Reply) -> HttpResponse:
    charset = settings.PARTNERS.bboss.reply.charset
    if charset == "utf-8":
        response: HttpResponse = Response(reply.body, status=reply.status)
    else:
        content = _in_charset(reply.body, charset)
        response = HttpResponse(content, f"application/json; charset={charset}", reply.status)
        response.data = reply.body
    if reply.retry_after is not None:
        response["Retry-After"] = str(reply.retry_after)
    return response


def _in_charset(body: dict, charset: str) -> bytes:
    try:
        return encode(body).encode(charset)
    except UnicodeEncodeError:  # the body quotes a character that the charset lacks
        return json.dumps(body).encode(charset)


def answer(request: HttpRequest) -> Reply:
    """Returns the response to a POST. Never raises an error. After an unexpected error the response is 503 and nothing
    is stored."""
    call = _call(request.META)
    try:
        return _answer(call, request)
    except Exception:
        logger.exception("nothing was stored of call %s", call.trans_idh)
        return reply(call, Code.OUR_FAULT)


def refuse(code: Code, meta: dict) -> Reply:
    """Returns the response to a call that did not reach `answer`. Such a call counts towards the caller's rate too."""
    call = _call(meta)
    caller_limits.count_refused(call.address)
    return reply(call, code)


def _call(meta: dict) -> InboundCall:
    return InboundCall(now=timezone.now(), address=caller_limits.caller_address(meta), trans_idh=uuid.uuid4().hex)


def _answer(call: InboundCall, request: HttpRequest) -> Reply:
    try:
        wire, call.raw = read_message(request, call.address)
    except Refused as refusal:
        return _refuse_unstored(call, refusal)
    call.wire = call.members = wire.members
    try:
        call.members = ours(wire.members, settings.PARTNERS.bboss)
        envelope_checks.check_envelope(call.members, call.now, wire)
    except Refused as refusal:
        if not envelope_checks.is_signed(wire):  # only the beginning of an unsigned message is stored
            return _refuse_unsigned(call, refusal)
        return _refuse_stored(call, _message(call, envelope_checks.masked_body(call.wire)), refusal)
    message = _message(call, envelope_checks.masked_body(call.wire))
    try:
        return _accept(call, message)
    except Refused as refusal:
        return _refuse_stored(call, message, refusal)


def read_message(request: HttpRequest, address: str) -> tuple[Wire, bytes]:
    """Checks the call, then reads its message and body. Raises Refused (20007, 20215, 20303, 20308, 20105)."""
    header = request.META.get("CONTENT_TYPE", "")
    try:
        check_type(header, settings.PARTNERS.bboss)
        length = _content_length(request)
        caller_limits.check_address(address)
    except Refused:
        caller_limits.count_refused(address)
        raise
    caller_limits.check_rate(address)  # before the body is read, because a body may be large and slow
    body = _read(request, length)
    try:
        return _parse(*text_in(body, header, settings.PARTNERS.bboss)), body
    except strict_json.BadJsonError as error:
        raise Refused(Code.UNREADABLE, hint=str(error)) from None


def _parse(text: str, charset: str) -> Wire:
    """Parses the message within UNSIGNED_BOUNDS. Without a token of ours, STRANGER_BOUNDS apply. Raises BadJsonError.

    If a message with a token of ours exceeds UNSIGNED_BOUNDS, it is parsed again with GENERAL_BOUNDS. Then it is
    accepted only with a valid signature.
    """
    how, known = settings.PARTNERS.bboss, envelope_checks.may_be_from_bboss(text)
    bounds = strict_json.UNSIGNED_BOUNDS if known else strict_json.STRANGER_BOUNDS
    try:
        return Wire(parsed(text, bounds, how), text, charset)
    except strict_json.OutOfBoundsError:
        wire = Wire(parsed(text, strict_json.GENERAL_BOUNDS, how) if known else {}, text, charset)
        if not envelope_checks.is_signed(wire):
            raise
        return wire


def _content_length(request: HttpRequest) -> int | None:
    """Returns the Content-Length in bytes, or None for a chunked body. If the body is too long, discards the body and
    raises Refused 20215."""
    chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    if chunked and request.META.get("wsgi.input_terminated"):  # the server marks the body's end
        return None
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0
    if length > strict_json.MAX_BODY_BYTES:
        strict_json.discard_body(request, without_length=False)
        raise Refused(Code.TOO_LARGE, hint=f"{length} bytes")
    return length


def _read(request: HttpRequest, length: int | None) -> bytes:
    try:
        body = strict_json.read_body(request, without_length=length is None)
    except strict_json.BodyBrokenError as error:
        raise Refused(Code.UNREADABLE, hint=str(error)) from None
    except strict_json.BodyTooLargeError:
        raise Refused(Code.TOO_LARGE, hint="a chunked body") from None
    if length is not None and len(body) != length:
        raise Refused(Code.UNREADABLE, hint=f"{length} bytes were announced, {len(body)} came")
    return body


def _accept(call: InboundCall, message: InboundMessage) -> Reply:
    """Passes the order to the core and returns the response. Raises Refused.

    The response is 503 and nothing is stored if the database is restored, since earlier orders may be missing. The same
    applies to a process with another profile than the desk's, since it would read the order differently.
    """
    if is_restored():
        note(why="nothing was stored: the database counts as restored")
        return reply(call, Code.OUR_FAULT)
    if has_other_profile():
        note(why="nothing was stored: this process has another profile of the partners than the desk (PARTNERS_FILE)")
        return reply(call, Code.OUR_FAULT)
    raw, how = content_of(call.members), settings.PARTNERS.bboss
    content = content_in(call.wire, raw, how)
    message.order_number = order_number_of(content)
    note(order=message.order_number)
    # Set before the core is called, because the core saves the message in the order's transaction.
    _set_outcome(message, Code.SUCCESS, Code.SUCCESS.value.desc, BizCode.DONE)
    try:
        receipt = _to_core(
            content, raw, trans_ido=envelope_checks.stored_trans_ido(call.members["transIDO"]), message=message
        )
    except errors.OrderError as error:
        raise _refusal(error) from error
    call.trans_idh = receipt.trans_idh
    return reply(call, Code.SUCCESS, result=result_of(receipt.order_number, BizCode.DONE))


def _to_core(content: dict, raw: dict, *, trans_ido: str, message: InboundMessage) -> Receipt:
    about = {"raw": raw, "trans_ido": trans_ido, "message": message, "digest": content_hash(content)}
    about["hash_of"] = _hash_of
    if is_withdrawal(content):
        return withdraw_order(read_withdrawal(content), **about)
    return receive_order(read_order(content), **about)


def _hash_of(kept: dict | str) -> str:
    """Returns the hash of a stored content. If only a masked body is stored, reads the content from it with the current
    profile. Returns "" if the content can't be read."""
    how = settings.PARTNERS.bboss
    try:
        wire = {"content": kept} if isinstance(kept, dict) else json.loads(kept)
        return content_hash(content_in(wire, content_of(ours(wire, how)), how))
    except (ValueError, Refused):
        return ""


def _refusal(error: errors.OrderError) -> Refused:
    """Returns the refusal for an error of the core. If an error has no refusal, raises the error again."""
    if isinstance(error, errors.ContentError):
        return bad(error.field, error.why)
    if isinstance(error, errors.RepeatCallError):
        return Refused(Code.REPEAT, hint=str(error))
    if biz := BIZ_CODES.get(type(error)):
        return Refused(Code.BUSINESS, hint=str(error), biz=biz)
    raise error


def _message(call: InboundCall, body: str) -> InboundMessage:
    """Returns the unsaved row of a request, with its masked body. The row is saved once, together with its outcome."""
    given = call.members.get("transIDO")
    named = {
        "trans_ido": envelope_checks.stored_trans_ido(given) if isinstance(given, str) else "",
        "order_number": order_number_of(brief_content(call.wire, call.members, settings.PARTNERS.bboss)),
    }
    note(trans_ido=named["trans_ido"], order=named["order_number"])
    return InboundMessage(
        received_at=call.now,
        remote_address=call.address,
        trans_idh=call.trans_idh,
        body=body,
        **named,
    )


def _set_outcome(message: InboundMessage, code: Code, desc: str, biz: BizCode | None) -> None:
    message.http_status, message.rsp_code, message.rsp_desc = code.value.http, code.value.number, desc
    message.biz_code = biz.value[0] if biz else ""


def _refuse_unstored(call: InboundCall, refusal: Refused) -> Reply:
    """Refuses a call and stores nothing, because no message was read or there are too many unsigned messages."""
    note(why=refusal.hint)
    return reply(call, refusal.code, desc=refusal.desc, retry_after=refusal.retry_after)


def _refuse_unsigned(call: InboundCall, refusal: Refused) -> Reply:
    """Refuses a message with an invalid token or signature. Stores the beginning of the message. If there are too
    many such messages, stores nothing."""
    try:
        caller_limits.check_unsigned_rate()
    except Refused as too_many:
        return _refuse_unstored(call, too_many)
    message = _message(call, envelope_checks.masked_head(call.wire))
    message.signed = False
    message.length, message.sha256 = len(call.raw), hashlib.sha256(call.raw).hexdigest()
    return _refuse_stored(call, message, refusal)


def _refuse_stored(call: InboundCall, message: InboundMessage, refusal: Refused) -> Reply:
    _set_outcome(message, refusal.code, refusal.desc, refusal.biz)
    message.hint = envelope_checks.storable_hint(refusal.hint, signed=message.signed)
    message.order_number = message.order_number or order_number_in(message.body)  # so that people can search for it
    # The core may have saved the message, and so set its id, in a transaction that was then rolled back.
    message.pk, message.trans_idh = None, call.trans_idh
    keep_message(message)
    result = result_of(message.order_number, refusal.biz) if refusal.biz else ""
    return reply(call, refusal.code, desc=refusal.desc, result=result)
