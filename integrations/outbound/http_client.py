"""The only HTTP client: sends POSTs with a time-out to partners, and classifies the responses (contract 3.5).

Every failure is raised as `PartnerError`, including errors of requests, urllib3 and the socket. Nothing is retried and
no redirect is followed here, because the outbox plans the next attempt. Certificates are always verified. Proxy, CA and
client certificate come from our settings, never from the environment or a .netrc. All functions are thread-safe.
"""

import codecs
import datetime
import email.utils
import re
import ssl
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.utils import timezone
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from integrations.outbound.total_timeout import TimedCall, adapter, deadline
from integrations.outbound.wire_formats import traceparent
from integrations.partners.answers import Meaning, Reading, decoded, parse_object, read_answer
from integrations.partners.calls import Call
from integrations.partners.profile import is_charset
from orders.history.log_facts import known_facts
from orders.rules.steps import LONGEST_RETRY_AFTER

MARK = "\ufeff"  # byte order mark
CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
ANSWER_BYTES = 4 * 1024 * 1024  # the largest response that is read, except for a look-up of many records
KEPT_BYTES = 64 * 1024  # bytes of a response that are stored unchanged, to be classified again
KEPT_CHARACTERS = 4000  # characters of a response that are stored with an error
RETRY_STATUSES = {401, 403, 408, 429}
NOT_CARRIED_OUT = {401, 403, 429}  # the partner rejected the request before processing it
PROXY_WANTS_CREDENTIALS = 407  # from our proxy; the request did not reach the partner
CERTIFICATE_ALERTS = re.compile(r"ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNSUPPORTED_CERT|UNKNOWN_CA|ACCESS_DENIED)")
URL = re.compile(r"\burl: \S+")
CAUSE_SAYS_ALL = {"code": "cause_says_all"}
ACTED_BEFORE = 409  # as HTTP status or as `code`: a request with this key but other bytes was carried out before


answer_listeners: list[Callable[[Call, int, str, bytes], None]] = []
"""Functions that get each response as received: call, HTTP status, charset and bytes (`partners try`)."""


class PartnerError(Exception):
    """A call did not succeed.

    - `permanent`: True if the same request will never succeed.
    - `code`: a short word for grouping. Without a response it is `timeout`, `refused` (no connection), `proxy` (no
      connection through our proxy), `tls` (a certificate or the handshake was rejected) or `broken` (the connection
      broke). With a response it is `http_503`, `not_json`, `answer_too_large`, `no_code`, `no_rule`, `code_400` or
      `bad_result`.
    - `http_status`: None if there was no response.
    - `retry_after`: the partner's Retry-After in seconds, at most six hours.
    - `answer`: the beginning of the response's text. `raw`: its first bytes. `charset`: its declared charset.
    - `unknown`: True if the request was sent, but may or may not have been carried out.
    - `transport`: True if the failure counts for the partner's breaker, because it does not depend on the request.
    - `acted_before`: True for 409. The partner has carried out this key before, with other bytes. Then `permanent` is
      True, although records may have been created or deleted.
    - `read`: the meaning of the answer by the profile's rules. It is `not_understood` with the codes `not_json`,
      `no_code`, `no_rule` and `bad_result` (contract 7.2).
    - `params`: the text shown after the cause, as a code with parameters (`orders/texts/error_messages.py`). If it is
      empty, `message` is shown.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        code: str,
        http_status: int | None = None,
        retry_after: float | None = None,
        answer: str = "",
        unknown: bool = False,
        transport: bool = False,
        acted_before: bool = False,
        read: str = "",
        raw: bytes = b"",
        charset: str = "",
        params: dict | None = None,
    ):
        super().__init__(message)
        self.message, self.params = message, params or {}
        self.permanent = permanent
        self.code = code
        self.http_status = http_status
        self.retry_after = retry_after
        self.answer = clean(answer)[:KEPT_CHARACTERS]
        self.unknown = unknown
        self.transport = transport
        self.acted_before = acted_before
        self.read, self.raw, self.charset = read, raw[:KEPT_BYTES], charset

    @property
    def answered(self) -> dict:
        """Returns the fields of an Outcome about the answer and its error."""
        return {
            "code": self.code,
            "message": self.message,
            "params": self.params,
            "http_status": self.http_status,
            "answer": self.answer,
            "read": self.read,
            "raw": self.raw,
            "charset": self.charset,
        }


@dataclass(frozen=True)
class PartnerResponse:
    """A response with HTTP 2xx or 4xx. `check_success` classifies it by `reading`. `text` is the beginning of the body.
    `data` is the unwrapped JSON object of the body, or empty."""

    http_status: int
    text: str
    data: dict
    retry_after: float | None = None
    reading: Reading | None = None
    raw: bytes = b""
    charset: str = ""


def clean(text: str) -> str:
    """Returns the text without characters that databases reject: U+0000 and unpaired surrogates become question
    marks."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


def storable_text(value: object) -> str:
    """Returns a JSON value as a text that every database can store. A list or object becomes "...", because it may be
    deeply nested."""
    return "..." if isinstance(value, list | dict) else clean(str(value))


def post(
    call: Call, body: bytes, *, key: str, request_id: str, timeout: float, most: int = ANSWER_BYTES
) -> PartnerResponse:
    """Sends `body` (JSON, UTF-8) and returns the answer, all within `timeout` seconds.

    `key` is sent in the call's key header, `request_id` as X-Request-Id, the log's trace as traceparent.

    Raises PartnerError for a time-out, connection errors, an answer above `most` bytes, HTTP 3xx, 401, 403, 408, 409,
    429, 5xx, and 407 of our proxy.
    """
    status, headers, raw = _exchange(_request(call, body, key, request_id), timeout, most)
    named = named_charset(headers.get("Content-Type"))
    charset = named or call.charset
    for listen in answer_listeners:  # before an error is raised, because `partners try` shows such answers too
        listen(call, status, charset, raw)
    text = raw[: 4 * KEPT_CHARACTERS].decode(charset, "replace").removeprefix(MARK)[:KEPT_CHARACTERS]
    retry_after = waiting_time(headers.get("Retry-After"))
    refuse = _Refusal(status, text, retry_after)
    # Check the status first: a gateway may have sent such an answer, so the profile's rules do not apply.
    if status == PROXY_WANTS_CREDENTIALS and settings.PARTNER_PROXY:
        raise refuse("the proxy does not take our credentials", code="proxy", unknown=False, params=CAUSE_SAYS_ALL)
    if status in RETRY_STATUSES or not (200 <= status < 300 or 400 <= status < 500):
        raise refuse(
            f"answered HTTP {status}",
            code=f"http_{status}",
            unknown=status not in NOT_CARRIED_OUT,
            params=CAUSE_SAYS_ALL,
        )
    if status == ACTED_BEFORE:
        data = parse_object(decoded(raw, charset)) or {}
        word = _word(ACTED_BEFORE) if _number(data.get("code")) == ACTED_BEFORE else f"http_{status}"
        raise refuse.acted_before(storable_text(data.get("code")), storable_text(data.get("message") or ""), code=word)
    if len(raw) > most:
        raise refuse(f"answered more than {most} bytes", code="answer_too_large", params=CAUSE_SAYS_ALL)
    reading = read_answer(call.answer, status=status, raw=raw, charset=charset)
    return PartnerResponse(status, text, reading.data or {}, retry_after, reading, raw, named)


def check_reachable(url: str, *, timeout: float) -> int:
    """Sends a HEAD request and returns the status of the response. Any response shows that the partner is reachable.
    Raises PartnerError without a response."""
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
    """Sends a GET, or a POST of `form` or `body` (JSON). Returns the response's status, and its body if that is a JSON
    object.

    For systems other than partners, such as the provider of the company log-in, or a robot. Raises PartnerError without
    a complete response.
    """
    headers = {"User-Agent": "ibs-order-desk", "Accept": "application/json"}
    if authorization:
        headers["Authorization"] = authorization
    if body is not None:
        headers["Content-Type"] = "application/json; charset=utf-8"
    try:
        data = form if body is None else body
        request = requests.Request("GET" if data is None else "POST", url, data=data, headers=headers).prepare()
    except ValueError as error:  # requests' own errors about an address among them
        raise PartnerError("no address", code="refused") from error
    status, _headers, raw = _exchange(request, timeout, ANSWER_BYTES)
    return status, parse_object(decoded(raw, "utf-8")) if len(raw) <= ANSWER_BYTES else None


def check_success(answer: PartnerResponse) -> None:
    """Raises PartnerError unless the answer is a success (contract 7.1). The error is permanent for a refusal, and for
    409."""
    reading, refuse = answer.reading, _Refusal.of(answer)
    code = answer.data.get("code")
    # Check this before the rules of success: 409 means that the key was used with other bytes.
    if reading.meaning == Meaning.REPEATED or _number(code) == ACTED_BEFORE:
        raise refuse.acted_before(clean(reading.code), reading.words, code=_word(reading.code or code))
    if reading.meaning == Meaning.SUCCESS:
        return
    if reading.meaning == Meaning.NOT_UNDERSTOOD:
        http = f"answered HTTP {answer.http_status}"
        if reading.data is None:
            raise refuse(f"{http} with a body that is not a JSON object", code="not_json", params=CAUSE_SAYS_ALL)
        if isinstance(code, str | int) and not isinstance(code, bool):
            raise refuse(f"{http} in a way that no rule reads", code="no_rule", params=CAUSE_SAYS_ALL)
        raise refuse("answered without a code", code="no_code", params=CAUSE_SAYS_ALL)
    said = {"message": _answer_words(answer.http_status, reading.code, reading.words), "params": _words(reading.words)}
    if reading.meaning == Meaning.LATER:
        raise refuse(code=_word(reading.code), transport=False, **said)
    word = f"http_{answer.http_status}" if _number(code) == 200 else _word(reading.code)
    raise refuse(code=word, permanent=True, unknown=False, transport=False, **said)


def named_charset(content_type: str | None) -> str:
    """Returns the charset declared in a Content-Type; empty if no charset or an unknown charset is declared."""
    named = CHARSET.search(content_type or "")
    return codecs.lookup(named[1]).name if named and is_charset(named[1]) else ""


def waiting_time(header: str | None) -> float | None:
    """Returns the seconds of a Retry-After header (seconds or an HTTP date), at most LONGEST_RETRY_AFTER. None if the
    header is missing or malformed."""
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


class _Refusal:
    """Builds PartnerErrors with the facts about one answer. By default such an error is temporary, its result unknown,
    and it counts for the breaker."""

    def __init__(self, http_status: int, text: str, retry_after: float | None, **more):
        self.known = {"http_status": http_status, "answer": text, "retry_after": retry_after, **more}

    @classmethod
    def of(cls, answer: PartnerResponse) -> "_Refusal":
        came = {"raw": answer.raw, "charset": answer.charset, "read": answer.reading.meaning.value}
        return cls(answer.http_status, answer.text, answer.retry_after, **came)

    def __call__(
        self, message: str, *, code: str, unknown: bool = True, transport: bool = True, **more
    ) -> PartnerError:
        return PartnerError(message, code=code, unknown=unknown, transport=transport, **more, **self.known)

    def acted_before(self, said: str, words: str, *, code: str) -> PartnerError:
        known = {"permanent": True, "acted_before": True, "params": _words(words), **self.known}
        return PartnerError(_answer_words(self.known["http_status"], said, words), code=code, **known)


def _request(call: Call, body: bytes, key: str, request_id: str) -> requests.PreparedRequest:
    """Returns the request. It is built without `prepare`, which takes longer than the rest of a call."""
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
    """Returns (status, headers, body). Reads the body up to one byte beyond `most`, so that the caller recognises a
    longer body. Raises PartnerError."""
    with deadline(timeout) as call:
        try:
            response = adapter().send(request, stream=True, timeout=timeout, **_network())
            try:
                raw = response.raw.read(most + 1, decode_content=True)
            finally:
                response.close()
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise _broken(call, error) from error
    return response.status_code, response.headers, raw


def _network() -> dict:
    """Returns the arguments of requests' adapter for partners. Verification can't be switched off."""
    proxy = settings.PARTNER_PROXY
    return {
        "verify": settings.PARTNER_CA_BUNDLE or True,
        "cert": settings.PARTNER_CLIENT_CERT or None,
        "proxies": {"http": proxy, "https": proxy} if proxy else None,
    }


def _broken(call: TimedCall, error: Exception) -> PartnerError:
    """Returns the error for a call without a complete response.

    If the partner rejects our client certificate, `unknown` is False. With TLS 1.3 the request may have been sent
    before, but partners process no request of an unauthenticated caller.
    """
    handshake = _handshake_error(error)
    sent, words = call.sent, str(error)
    if call.overdue or isinstance(error, requests.Timeout):
        code, what = "timeout", "no complete answer in time"
    elif call.at_proxy:
        code, what = "proxy", "the proxy gives no connection"
    elif handshake and (not sent or CERTIFICATE_ALERTS.search(handshake.reason or "")):
        code, what, sent, words = "tls", "no TLS connection", False, str(handshake)
    elif sent:
        code, what = "broken", "the connection broke before the answer was complete"
    else:
        code, what, words = "refused", "no connection", _unreached(error)
    words = URL.sub("url: ...", words)  # a path of the profile may hold a secret
    return PartnerError(
        f"{what} ({clean(words)[:300]})", code=code, unknown=sent, transport=True, params=CAUSE_SAYS_ALL
    )


def _unreached(error: Exception) -> str:
    """Returns the address that could not be reached and the system's error, as a text without the libraries'
    additions."""
    inner = getattr(error.args[0], "reason", None) if error.args else None
    if not (isinstance(inner, HTTPError) and inner.__cause__ and isinstance(error, requests.RequestException)):
        return str(error)
    address = urlsplit(str(error.request.url) if error.request else "")
    return f"{address.hostname}:{address.port or address.scheme}: {inner.__cause__}"


def _handshake_error(error: BaseException | None) -> ssl.SSLError | None:
    """Returns the TLS library's error among the causes of an error. None if there is none, or if the connection was
    closed without an error."""
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return None
    if error is None or isinstance(error, ssl.SSLError):
        return error
    return _handshake_error(error.__cause__) or _handshake_error(error.__context__)


def _number(code: object) -> int | None:
    """Returns a code as an integer, 200 for 200 and "200". None for other values."""
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) <= 9:
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _word(code: object) -> str:
    """Returns the error code for a partner's code, cut to the length of the column."""
    return f"code_{storable_text(code)}"[:32]


def _answer_words(status: int, code: str, words: str) -> str:
    return f"answered HTTP {status}, code {clean(code)[:60]}: {clean(words)[:300]}"


def _words(words: str) -> dict:
    return {"code": "partner_words", "words": clean(words)[:300]}
