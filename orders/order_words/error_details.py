"""Localised details of errors: why a step, an attempt or an order's trouble is as it is, in the reader's language.
Pure.

A row keeps a code with its parameters beside the English of the logs. Without them its text is shown as it is.
"""

import re
from collections.abc import Mapping

from django.utils.translation import gettext as _

from notifications.masks import mask_text
from orders.models import AffectedOrder, Attempt, Dispatch, Incident
from orders.texts.error_messages import say, say_why
from orders.texts.incident_texts import title_of
from orders.texts.untrusted_text import load

HAN = re.compile(r"[\u4e00-\u9fff]")


def of_step(row: Dispatch) -> str:
    """A step's error; empty where the cause beside it says it all."""
    return machine_text(row.error, row.error_params)


def of_attempt(row: Attempt) -> str:
    """Returns the meaning of an attempt's error code, and the partner's words in its answer. The log's English is for
    engineers."""
    if row.outcome == Attempt.Outcome.LOST:
        return say("worker_died", {})
    if not row.error:
        return ""
    code = code_of(row.error_code, row.error)
    said = _words_in(row.answer) if code.startswith("code_") else ""
    return title_of(code, said)


def code_of(code: str | None, logged: str) -> str:
    """The error code of an attempt or a breaker. In a row from before 1.6.0 only the logged line has it."""
    return logged.partition(": ")[0] if code is None else code


def of_trouble(row: AffectedOrder | Incident) -> str:
    return detail_text(row.detail, row.detail_params)


def of_finding(finding: Mapping) -> str:
    return machine_text(finding["message"], finding.get("why", {}))


def detail_text(text: str, params: Mapping) -> str:
    """`params`: a code with its parameters, or several as `parts`. Phones and mails in it are masked."""
    parts = params.get("parts") or ([params] if "code" in params else [])
    return _("; ").join(map(_say_part, parts)) if parts else mask_text(text)


def machine_text(text: str, params: Mapping) -> str:
    """Returns the detail of what only the desk writes: English of the log, without a word of Chinese, is left out."""
    return detail_text(text if HAN.search(text) else "", params)


def _words_in(answer: str) -> str:
    try:
        data = load(answer)
    except ValueError:
        return ""
    words = data.get("message") if isinstance(data, dict) else ""
    return words if isinstance(words, str) else ""


def _say_part(part: Mapping) -> str:
    what = mask_text(say_why(part))
    return _("%(file)s: %(what)s") % {"file": part["file"], "what": what} if "file" in part else what
