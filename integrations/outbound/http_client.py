"""The only HTTP client: sends POSTs with a time-out to partners (contract 3.5).

Every failure is raised as `PartnerError`, including errors of requests, urllib3 and the socket
(failure_classification.py). Nothing is retried and no redirect is followed here, because the outbox plans the next
attempt. Certificates are always verified. Proxy, CA and client certificate come from our settings, never from the
environment or a .netrc. All functions are thread-safe.
"""

import codecs
import datetime
import email.utils
import re
import uuid
from collections.abc import Callable

import requests
from django.conf import settings
from django.utils import timezone
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from integrations.outbound.failure_classification import (
    KEPT_CHARACTERS,
    PartnerError,
    PartnerResponse,
    check_status,
    connection_error,
)
from integrations.outbound.total_timeout import adapter, deadline
from integrations.outbound.wire_formats import traceparent
from integrations.partners.answers import decoded, parse_object, read_answer
from integrations.partners.calls import Call
from integrations.partners.profile import is_charset
from orders.history.log_facts import known_facts
from orders.rules.steps import LONGEST_RETRY_AFTER

MARK = "\ufeff"  # byte order mark
CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
ANSWER_BYTES = 4 * 1024 * 1024  # the largest response that is read, except for a look-up of many records

answer_listeners: list[Callable[[Call, int, str, bytes], None]] = []
"""Functions that get each response as received: call, HTTP status, charset and bytes (`partners try`)."""


def post(
    call: Call, body: bytes, *, key: str, request_id: str, timeout: float, most: int = ANSWER_BYTES
) -> PartnerResponse:
    """Sends `body` (JSON, UTF-8) and returns the answer, all within `timeout` seconds.

    `key` is sent in the call's key header. `request_id` is sent as X-Request-Id. The log's trace is sent as
    traceparent.

    Raises PartnerError for a time-out and connection errors. Also raises it for an answer above `most` bytes, HTTP 3xx,
    401, 403, 408, 409, 429 and 5xx, and 407 of our proxy.
    """
    status, headers, raw = _exchange(_request(call, body, key, request_id), timeout, most)
    named = named_charset(headers.get("Content-Type"))
    charset = named or call.charset
    for listen in answer_listeners:  # before an error is raised, because `partners try` shows answers with errors too
        listen(call, status, charset, raw)
    text = raw[: 4 * KEPT_CHARACTERS].decode(charset, "replace").removeprefix(MARK)[:KEPT_CHARACTERS]
    retry_after = waiting_time(headers.get("Retry-After"))
    check_status(status, raw, text=text, retry_after=retry_after, charset=charset, most=most)
    reading = read_answer(call.answer, status=status, raw=raw, charset=charset)
    return PartnerResponse(status, text, reading.data or {}, retry_after, reading, raw, named)


def check_reachable(url: str, *, timeout: float) -> int:
    """Sends a HEAD request and returns the status of the response. Any response shows that the partner is reachable. If
    there is no response, raises PartnerError."""
    request = requests.Request("HEAD", url, headers={"User-Agent": "ibs-order-desk"}).prepare()
    return _exchange(request, timeout, 0)[0]


def request_json(
    url: str,
    *,
    timeout: float,
    form: dict[str, str] | None = None,
    body: bytes | None = None,
    authorization: str = "",
) -> tuple[int, dict | None]:
    """Sends a GET, or a POST of `form` or `body` (JSON). Returns the response's status and body. The body is returned
    only if it is a JSON object.

    This function is for systems other than partners, such as the provider of the company log-in, or a robot. If there
    is no complete response, raises PartnerError.
    """
    headers = {"User-Agent": "ibs-order-desk", "Accept": "application/json"}
    if authorization:
        headers["Authorization"] = authorization
    if body is not None:
        headers["Content-Type"] = "application/json; charset=utf-8"
    try:
        data = form if body is None else body
        request = requests.Request("GET" if data is None else "POST", url, data=data, headers=headers).prepare()
    except ValueError as error:  # includes requests' own errors about an address
        raise PartnerError("no address", code="refused") from error
    status, _headers, raw = _exchange(request, timeout, ANSWER_BYTES)
    return status, parse_object(decoded(raw, "utf-8")) if len(raw) <= ANSWER_BYTES else None


def named_charset(content_type: str | None) -> str:
    """Returns the charset declared in a Content-Type. If no charset or an unknown charset is declared, returns ""."""
    named = CHARSET.search(content_type or "")
    return codecs.lookup(named[1]).name if named and is_charset(named[1]) else ""


def waiting_time(header: str | None) -> float | None:
    """Returns the seconds of a Retry-After header (seconds or an HTTP date), at most LONGEST_RETRY_AFTER. If the header
    is missing or malformed, returns None."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_RETRY_AFTER)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return min(max((moment - timezone.now()).total_seconds(), 0.0), LONGEST_RETRY_AFTER)


def _request(call: Call, body: bytes, key: str, request_id: str) -> requests.PreparedRequest:
    """Returns the request. `prepare` is not used, because it takes longer than the rest of a call."""
    prepared = requests.PreparedRequest()
    prepared.method, prepared.url, prepared.body, prepared.hooks = "POST", call.url, body, {}
    prepared.headers = CaseInsensitiveDict(
        {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(body)),
            "Accept": "application/json",
            "User-Agent": "ibs-order-desk",
            **({call.key_header: key} if call.key_header else {}),
            "X-Request-Id": request_id,
            "traceparent": traceparent(known_facts().get("trace") or uuid.uuid4().hex, request_id),
            **call.headers,
        }
    )
    return prepared


def _exchange(request: requests.PreparedRequest, timeout: float, most: int) -> tuple[int, CaseInsensitiveDict, bytes]:
    """Returns (status, headers, body). Reads at most one byte beyond `most`. By that byte the caller recognises a
    longer body. Raises PartnerError."""
    with deadline(timeout) as call:
        try:
            response = adapter().send(request, stream=True, timeout=timeout, **_network())
            try:
                raw = response.raw.read(most + 1, decode_content=True)
            finally:
                response.close()
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise connection_error(call, error) from error
    return response.status_code, response.headers, raw


def _network() -> dict:
    """Returns the arguments of requests' adapter for partners. Verification can't be switched off."""
    proxy = settings.PARTNER_PROXY
    return {
        "verify": settings.PARTNER_CA_BUNDLE or True,
        "cert": settings.PARTNER_CLIENT_CERT or None,
        "proxies": {"http": proxy, "https": proxy} if proxy else None,
    }
