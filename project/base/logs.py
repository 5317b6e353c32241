"""Log filters and formats. An event is one line with the request's id. Secrets and personal data are masked."""

import datetime
import functools
import json
import logging
import re

from django.conf import settings

from integrations.base.database_deadline import Outage, away_error, error_line
from notifications.masks import head, mask_text
from orders.history.log_facts import known_facts

SECRET_FIELDS = ("accessToken", "sign", "X-Signature", "password")
SECRET_NAME_PARTS = ("token", "sign", "password")  # in lower case; each of SECRET_FIELDS contains one
LONGEST = 16 * 1024  # maximum bytes of a message, and of a traceback
CACHED_LENGTH = 200  # maximum characters of a text that is cached, such as a path
FIELDS = (
    *("trace", "caller", "path", "status", "seconds", "code", "trans_ido"),
    *("order", "partner", "step", "key", "attempt", "outcome"),
)
UNTRUSTED_FIELDS = {"path", "code", "trans_ido", "order"}  # values that may come from other systems, so they are masked
callers_outage = Outage(logging.getLogger(__name__), "callers")
INDENT = "    "  # indents the lines of a traceback, so that no line can be read as an event
JSON = json.JSONEncoder(ensure_ascii=False, default=str)
# No format of ours contains these values. Reading them takes as long as masking the line.
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = logging.logAsyncioTasks = False


@functools.cache
def _secret_pattern(theirs: frozenset[str]) -> re.Pattern:
    names = "|".join(map(re.escape, [*SECRET_FIELDS, *theirs.difference(name.lower() for name in SECRET_FIELDS)]))
    return re.compile(rf'((?:{names})\\*+"?\s*+[:=]\s*+\\*+"?)[^",\s&}}]++', re.IGNORECASE)


def redact(text: str) -> str:
    """Returns the text with secrets and personal data masked. The length may change."""
    plain = text.lower()
    theirs = settings.PARTNERS.bboss.secret_names
    if not text.isascii() or any(name in plain for name in (*SECRET_NAME_PARTS, *theirs)):  # ſ counts as an s
        text = _secret_pattern(theirs).sub(r"\1***", text)
    return mask_text(text)


def cut(text: str) -> str:
    """Returns the beginning of a long text, with the number of bytes left out."""
    shown, left = head(text, LONGEST)
    return f"{shown} ({left} bytes more)" if left else text


def one_line(text: str) -> str:
    """Returns the text with non-printable characters escaped. So the author of the text can't forge a log line or hide
    a part of it."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


def safe(text: str) -> str:
    """Returns the text shortened, masked and on one line. Short texts are cached, because log lines repeat paths and
    codes."""
    return _safe_cached(text) if len(text) <= CACHED_LENGTH else one_line(redact(cut(text)))


@functools.lru_cache(maxsize=1024)
def _safe_cached(text: str) -> str:
    return one_line(redact(text))


class OutageFilter(logging.Filter):
    """Shortens and drops log records of an unavailable database.

    The error's text is logged without a traceback, because no code is at fault. For requests, only the start of the
    outage is logged, and at its end the number of refused requests. Django's records for a 503 and django-q2's records
    are dropped, because our code logs the outage. Records of `django.security` lose their traceback too.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "django.request" and getattr(record, "status_code", 0) == 503 and not record.exc_info:
            return False
        if record.name.startswith("django.security"):
            record.exc_info = record.exc_text = None
        if record.exc_info and (error := away_error(record.exc_info[1])):
            if record.name == "django-q":
                return False
            if "path" in known_facts():
                callers_outage.began(error)
                return False
            record.msg, record.args = f"{record.getMessage()}: {error_line(error)}", None
            record.exc_info = record.exc_text = None
        return True


class MaskFilter(logging.Filter):
    """Masks the message with its arguments, and escapes its line breaks."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = one_line(redact(cut(record.getMessage()))), None
        return True


def format_time(record: logging.LogRecord) -> str:
    """Returns the record's time in ISO 8601, with milliseconds and zone."""
    second, millisecond = divmod(round(record.created * 1e6) // 1000, 1000)
    text, zone = _format_second(second)
    return f"{text}.{millisecond:03d}{zone}"


@functools.lru_cache(maxsize=4)
def _format_second(second: int) -> tuple[str, str]:
    """Returns (local time, UTC offset) of a second since the epoch. The result is cached, because many lines share a
    second."""
    moment = datetime.datetime.fromtimestamp(second).astimezone()
    return f"{moment:%Y-%m-%dT%H:%M:%S}", moment.isoformat()[19:]


def current_request_id() -> str:
    """Returns the id of the current request or partner call, or "-"."""
    return known_facts().get("request") or "-"


class LineFormatter(logging.Formatter):
    """The format `time level logger [request] message`. Tracebacks are masked too."""

    def __init__(self):
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = current_request_id()
        return super().format(record)

    def formatTime(self, record, datefmt=None) -> str:  # noqa: N802  the standard library's name
        return format_time(record)

    def formatException(self, exc_info) -> str:  # noqa: N802
        lines = redact(cut(super().formatException(exc_info))).split("\n")
        return "\n".join(INDENT + one_line(line) for line in lines)


class JsonFormatter(LineFormatter):
    """A JSON object per line (contract 4, LOG_FORMAT). A traceback is appended to the message."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info:
            message = f"{message}\n{self.formatException(record.exc_info)}"
        fields: dict[str, object] = {
            "time": format_time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
            "request": current_request_id(),
        }
        facts = known_facts()
        for name in FIELDS:
            value = getattr(record, name, None) or facts.get(name)
            if value not in (None, ""):
                fields[name] = safe(value) if name in UNTRUSTED_FIELDS else value
        return JSON.encode(fields)
