"""What must hold before there is a message at all: content type, size, caller, a body that is JSON (contract 2.3)."""

import datetime

from django.http import HttpRequest

from integrations.bboss import rate_limit
from integrations.bboss.codes import Code, Refused
from integrations.inbound.body import BodyBrokenError, BodyTooLargeError, discard_body, read_body
from integrations.inbound.strict_json import BadJsonError, parse_bytes

LARGEST = 2 * 1024 * 1024


def read_members(request: HttpRequest, address: str, now: datetime.datetime) -> tuple[dict, bytes]:
    """The request's members and its body, after the checks that need no message. Raises Refused (20007 to 20105)."""
    try:
        _check_content_type(request)
        length = _content_length(request)
        rate_limit.check_address(address)
    except Refused:
        rate_limit.count_refused(address, now)
        raise
    rate_limit.check_rate(address, now)
    body = _read(request, length)
    return _parse(body), body


def _check_content_type(request: HttpRequest) -> None:
    given = request.META.get("CONTENT_TYPE", "").split(";")[0].strip().lower()
    if given != "application/json":
        raise Refused(Code.NOT_JSON_TYPE, hint=f"Content-Type: {ascii(given)[:80]} is not application/json")


def _content_length(request: HttpRequest) -> int | None:
    """The announced length; None for a chunked body. One that is too long is refused without keeping it."""
    if _is_chunked(request):
        return None
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0
    if length > LARGEST:
        discard_body(request, endless=False)
        raise Refused(Code.TOO_LARGE, hint=f"{length} bytes")
    return length


def _is_chunked(request: HttpRequest) -> bool:
    """Whether the body comes without a length and the server says where it ends."""
    chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    return chunked and bool(request.META.get("wsgi.input_terminated"))


def _read(request: HttpRequest, length: int | None) -> bytes:
    try:
        body = read_body(request, LARGEST, endless=length is None)
    except BodyBrokenError as error:
        raise Refused(Code.UNREADABLE, hint=str(error)) from None
    except BodyTooLargeError:
        raise Refused(Code.TOO_LARGE, hint="a chunked body") from None
    if length is not None and len(body) != length:
        raise Refused(Code.UNREADABLE, hint=f"{length} bytes were announced, {len(body)} came")
    return body


def _parse(body: bytes) -> dict:
    try:
        return parse_bytes(body)
    except BadJsonError as error:
        raise Refused(Code.UNREADABLE, hint=str(error)) from None
