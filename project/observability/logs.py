"""Log lines: one event on each line, with the request's id. Secrets and personal data are masked."""

import contextvars
import logging
import re

from integrations.database_deadline import away_error, error_line
from notifications.masks import mask_text

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")

SECRET = re.compile(r'((?:accessToken|sign|X-Signature|password)\\*+"?\s*+[:=]\s*+\\*+"?)[^",\s&}]++', re.IGNORECASE)


BREAKS = str.maketrans({mark: ascii(mark)[1:-1] for mark in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"})
"""Whatever a reader or program may take for the end of a line, and how it is written."""
INSIDE = "    "  # before each line of a traceback, so that none looks like an event


def redact(text: str) -> str:
    """The text with secrets and personal data masked. Lengths are not kept."""
    return mask_text(SECRET.sub(r"\1***", text))


def one_line(text: str) -> str:
    """The text without line breaks, which its author could use to forge an event."""
    return text.translate(BREAKS)


class AwayFilter(logging.Filter):
    """Logs a database that is away as one line with the error's text, without a traceback.

    The code is not at fault then. Other libraries' repeated messages about it are dropped, since the queue or the call
    logs a line of ours.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "django.request" and getattr(record, "status_code", 0) == 503 and not record.exc_info:
            return False
        if record.exc_info and (error := away_error(record.exc_info[1])):
            if record.name == "django-q":
                return False
            record.msg, record.args = f"{record.getMessage()}: {error_line(error)}", None
            record.exc_info = record.exc_text = None
        return True


class MaskFilter(logging.Filter):
    """Masks the finished message, so that no argument is missed, and writes it as one line."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = one_line(redact(record.getMessage())), None
        return True


class LineFormatter(logging.Formatter):
    """time level logger [request] message. Tracebacks are masked too."""

    def __init__(self):
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return super().format(record)

    def formatException(self, exc_info) -> str:  # noqa: N802  the standard library's name
        lines = redact(super().formatException(exc_info)).split("\n")
        return "\n".join(INSIDE + one_line(line) for line in lines)
