"""Log lines: one event a line, with the request's number; tokens, signatures, phones and mails masked."""

import contextvars
import logging
import re

from integrations.database_deadline import away_error, one_line
from notifications.masks import mask_text

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")

SECRET = re.compile(r'((?:accessToken|sign|X-Signature|password)\\*+"?\s*+[:=]\s*+\\*+"?)[^",\s&}]++', re.IGNORECASE)


def masked(text: str) -> str:
    """The text with secrets and personal data made unreadable; lengths are not kept."""
    return mask_text(SECRET.sub(r"\1***", text))


class AwayFilter(logging.Filter):
    """A database that is away is no fault of the code: its error's words in the line, and no traceback.

    What others say of it again and again is left out: our own line is there, of the queue, or of the call.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "django.request" and getattr(record, "status_code", 0) == 503 and not record.exc_info:
            return False
        if record.exc_info and (error := away_error(record.exc_info[1])):
            if record.name == "django-q":
                return False
            record.msg, record.args = f"{record.getMessage()}: {one_line(error)}", None
            record.exc_info = record.exc_text = None
        return True


class MaskFilter(logging.Filter):
    """Masks the finished message, so that no argument can slip through."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = masked(record.getMessage()), None
        return True


class LineFormatter(logging.Formatter):
    """time level logger [request] message. Tracebacks are masked as well."""

    def __init__(self):
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return super().format(record)

    def formatException(self, exc_info) -> str:  # noqa: N802  the standard library's name
        return masked(super().formatException(exc_info))
