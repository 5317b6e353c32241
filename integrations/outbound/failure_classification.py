"""Classifies the failures of calls to partners (contract 3.5): refused, temporary, or possibly carried out.

Every failure is a `PartnerError`. `connection_error` classifies a call without a response. `check_status` classifies
the HTTP status. `check_success` classifies the answer by the profile's rules. Nothing is sent here.
"""

import re
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError

from integrations.outbound.total_timeout import TimedCall
from integrations.partners.answers import Meaning, Reading, decoded, parse_object

KEPT_BYTES = 64 * 1024  # bytes of a response that are stored unchanged, to be classified again
KEPT_CHARACTERS = 4000  # characters of a response that are stored with an error
RETRY_STATUSES = {401, 403, 408, 429}
NOT_CARRIED_OUT = {401, 403, 429}  # the partner rejected the request before processing it
PROXY_WANTS_CREDENTIALS = 407  # from our proxy; the request did not reach the partner
CERTIFICATE_ALERTS = re.compile(r"ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNSUPPORTED_CERT|UNKNOWN_CA|ACCESS_DENIED)")
URL = re.compile(r"\burl: \S+")
CAUSE_SAYS_ALL = {"code": "cause_says_all"}
ACTED_BEFORE = 409  # as HTTP status or as `code`: this key was carried out before with other bytes


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
    - `unknown`: True if the request was sent and it is not known whether it was carried out.
    - `transport`: True if the failure counts for the partner's breaker. A failure counts if it does not depend on the
      request.
    - `acted_before`: True for 409. The partner has carried out a request with this key before, with other bytes. Then
      `permanent` is True, although records may have been created or deleted.
    - `read`: the meaning of the answer by the profile's rules. It is `not_understood` with the codes `not_json`,
      `no_code`, `no_rule` and `bad_result` (contract 7.2).
    - `params`: the text shown after the cause, as a code with parameters (`orders/texts/error_messages.py`). If
      `params` is empty, `message` is shown.
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
    """A response with HTTP 2xx or 4xx. `check_success` classifies it by its `reading`. `text` is the beginning of the
    body. `data` is the unwrapped JSON object of the body, or empty."""

    http_status: int
    text: str
    data: dict
    retry_after: float | None = None
    reading: Reading | None = None
    raw: bytes = b""
    charset: str = ""


def clean(text: str) -> str:
    """Returns the text without characters that databases reject. U+0000 and unpaired surrogates become question
    marks."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


def storable_text(value: object) -> str:
    """Returns a JSON value as a text that every database can store. A list or object becomes "...", because lists and
    objects may be deeply nested."""
    return "..." if isinstance(value, list | dict) else clean(str(value))


def connection_error(call: TimedCall, error: Exception) -> PartnerError:
    """Returns the error for a call without a complete response.

    If the partner rejects our client certificate, `unknown` is False. With TLS 1.3 the request may already have been
    sent then, but partners process no request of an unauthenticated caller.
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


def check_status(status: int, raw: bytes, *, text: str, retry_after: float | None, charset: str, most: int) -> None:
    """Raises PartnerError if the HTTP status or the size alone is a failure.

    These failures are HTTP 3xx, 401, 403, 408, 409, 429 and 5xx, 407 of our proxy, and more than `most` bytes. This
    check comes before the profile's rules, because a gateway may have sent such an answer.
    """
    refuse = _Refusal(status, text, retry_after)
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


def check_success(answer: PartnerResponse) -> None:
    """Raises PartnerError if the answer is not a success (contract 7.1). For a refusal and for 409 the error is
    permanent."""
    reading, refuse = answer.reading, _Refusal.of(answer)
    code = answer.data.get("code")
    # Check this before the rules of success. 409 means that the key was used with other bytes.
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


class _Refusal:
    """Builds PartnerErrors with the facts about one answer. By default the error is temporary, the call's result is
    unknown, and the error counts for the breaker."""

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


def _unreached(error: Exception) -> str:
    """Returns a text with the address that could not be reached and the system's error. Additions of the libraries are
    removed."""
    inner = getattr(error.args[0], "reason", None) if error.args else None
    if not (isinstance(inner, HTTPError) and inner.__cause__ and isinstance(error, requests.RequestException)):
        return str(error)
    address = urlsplit(str(error.request.url) if error.request else "")
    return f"{address.hostname}:{address.port or address.scheme}: {inner.__cause__}"


def _handshake_error(error: BaseException | None) -> ssl.SSLError | None:
    """Returns the TLS library's error among the causes of an error. Returns None if there is none, or if the connection
    was closed without an error."""
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return None
    if error is None or isinstance(error, ssl.SSLError):
        return error
    return _handshake_error(error.__cause__) or _handshake_error(error.__context__)


def _number(code: object) -> int | None:
    """Returns a code as an integer: 200 for both 200 and "200". Returns None for other values."""
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) <= 9:
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _word(code: object) -> str:
    """Returns our error code for a partner's code. It is cut to the length of the column."""
    return f"code_{storable_text(code)}"[:32]


def _answer_words(status: int, code: str, words: str) -> str:
    return f"answered HTTP {status}, code {clean(code)[:60]}: {clean(words)[:300]}"


def _words(words: str) -> dict:
    return {"code": "partner_words", "words": clean(words)[:300]}
