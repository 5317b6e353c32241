"""The way of one call: checks, the core, the answer; and the row that is kept of it (contract 2.3)."""

import logging
import uuid

from django.http import HttpRequest
from django.utils import timezone

from integrations.bboss.codes import BizCode, Code, Refused
from integrations.bboss.content import bad, content_of, is_withdrawal, read_order, read_withdrawal
from integrations.bboss.envelope import check_envelope, is_signed
from integrations.bboss.message_log import message_of, order_number_of, storable_hint, stored_trans_ido, unsigned
from integrations.bboss.rate_limit import caller_address, check_unsigned_rate, count_refused
from integrations.bboss.responses import Call, Reply, reply, result_text
from integrations.bboss.transport import read_members
from orders.content import Receipt
from orders.errors import (
    ContentError,
    OrderConflictError,
    OrderError,
    OrderUnknownError,
    RepeatCallError,
    TrialClaimedError,
)
from orders.models import InboundMessage
from orders.restored_guard import is_restored
from orders.services import keep_message, receive_order, withdraw_order

logger = logging.getLogger(__name__)
BIZ_CODES = {
    OrderConflictError: BizCode.CONFLICT,
    OrderUnknownError: BizCode.UNKNOWN,
    TrialClaimedError: BizCode.CLAIMED,
}


def answer(request: HttpRequest) -> Reply:
    """Answers one POST and never raises: what is not foreseen is our fault, 503, with nothing stored."""
    call = Call(now=timezone.now(), address=caller_address(request.META), trans_idh=uuid.uuid4().hex)
    try:
        return _answer(call, request)
    except Exception:
        logger.exception("nothing was stored of call %s", call.trans_idh)
        return reply(call, Code.OUR_FAULT)


def refuse(code: Code, meta: dict) -> Reply:
    """The answer to a call that did not get as far as `answer`; it counts against its caller's rate too."""
    call = Call(now=timezone.now(), address=caller_address(meta), trans_idh=uuid.uuid4().hex)
    count_refused(call.address, call.now)
    return reply(call, code)


def _answer(call: Call, request: HttpRequest) -> Reply:
    try:
        call.members, call.raw = read_members(request, call.address, call.now)
    except Refused as refusal:
        return _not_kept(call, refusal)
    try:
        check_envelope(call.members, call.now)
    except Refused as refusal:
        return _keep_refused(call, _message(call), refusal) if is_signed(call.members) else _stranger(call, refusal)
    message = _message(call)
    try:
        return _accept(call, message)
    except Refused as refusal:
        return _keep_refused(call, message, refusal)


def _not_kept(call: Call, refusal: Refused) -> Reply:
    """There is no message, or one too many of a stranger's."""
    logger.warning("refused %s from %s: %s", refusal.code.value.number, call.address or "-", refusal.hint)
    return reply(call, refusal.code, desc=refusal.desc, retry_after=refusal.retry_after)


def _stranger(call: Call, refusal: Refused) -> Reply:
    """A message without a right token and signature: its head is kept, as long as there are not too many of them."""
    try:
        check_unsigned_rate(call.now)
    except Refused as too_many:
        return _not_kept(call, too_many)
    return _keep_refused(call, unsigned(_message(call), call.raw), refusal)


def _message(call: Call) -> InboundMessage:
    return message_of(call.members, address=call.address, trans_idh=call.trans_idh, received_at=call.now)


def _accept(call: Call, message: InboundMessage) -> Reply:
    """Hands the order of a message with a right envelope to the core. Raises Refused.

    A database that counts as restored takes nothing in: it may have lost what this message is about.
    """
    if is_restored():
        logger.warning("nothing was stored of call %s: the database counts as restored", call.trans_idh)
        return reply(call, Code.OUR_FAULT)
    content = content_of(call.members)
    message.order_number = order_number_of(content)
    _mark(message, Code.SUCCESS, Code.SUCCESS.value.desc, BizCode.DONE)
    try:
        receipt = _to_core(content, trans_ido=stored_trans_ido(call.members["transIDO"]), message=message)
    except OrderError as error:
        raise _refusal(error) from error
    call.trans_idh = receipt.trans_idh
    return reply(call, Code.SUCCESS, result=result_text(receipt.order_number, BizCode.DONE))


def _to_core(content: dict, *, trans_ido: str, message: InboundMessage) -> Receipt:
    if is_withdrawal(content):
        return withdraw_order(read_withdrawal(content), raw=content, trans_ido=trans_ido, message=message)
    return receive_order(read_order(content), raw=content, trans_ido=trans_ido, message=message)


def _refusal(error: OrderError) -> Refused:
    """The core's refusal in the words of the table."""
    if isinstance(error, ContentError):
        return bad(error.field, error.why)
    if isinstance(error, RepeatCallError):
        return Refused(Code.REPEAT, hint=str(error))
    if biz := BIZ_CODES.get(type(error)):
        return Refused(Code.BUSINESS, hint=str(error), biz=biz)
    raise error


def _keep_refused(call: Call, message: InboundMessage, refusal: Refused) -> Reply:
    _mark(message, refusal.code, refusal.desc, refusal.biz)
    message.hint = storable_hint(refusal.hint, signed=message.signed)
    # The core may have tried to save it in a transaction that was rolled back, and given it its number.
    message.pk, message.trans_idh = None, call.trans_idh
    keep_message(message)
    result = result_text(message.order_number, refusal.biz) if refusal.biz else ""
    return reply(call, refusal.code, desc=refusal.desc, result=result)


def _mark(message: InboundMessage, code: Code, desc: str, biz: BizCode | None) -> None:
    message.http_status, message.rsp_code, message.rsp_desc = code.value.http, code.value.number, desc
    message.biz_code = biz.value[0] if biz else ""
