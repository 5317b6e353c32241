"""Localised details of the errors of steps, attempts and orders. Pure.

A row stores a code with parameters in addition to the English log text. Without them that text is shown unchanged.
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
    """Returns the text of a step's error; empty if the cause already says it."""
    return machine_text(row.error, row.error_params)


def of_attempt(row: Attempt) -> str:
    """Returns the meaning of an attempt's error code with the partner's message. The English log text is not shown."""
    if row.outcome == Attempt.Outcome.LOST:
        return say("worker_died", {})
    if not row.error:
        return ""
    code = code_of(row.error_code, row.error)
    said = _words_in(row.answer) if code.startswith("code_") else ""
    return title_of(code, said)


def code_of(code: str | None, logged: str) -> str:
    """Returns the error code of an attempt or breaker. Rows from before 1.6.0 have it only in the logged line."""
    return logged.partition(": ")[0] if code is None else code


def of_trouble(row: AffectedOrder | Incident) -> str:
    return detail_text(row.detail, row.detail_params)


def of_finding(finding: Mapping) -> str:
    return machine_text(finding["message"], finding.get("why", {}))


def detail_text(text: str, params: Mapping) -> str:
    """Returns the localised text, with phones and mails masked.

    `params`: a code with parameters, or several as `parts`.
    """
    parts = params.get("parts") or ([params] if "code" in params else [])
    return _("; ").join(map(_say_part, parts)) if parts else mask_text(text)


def machine_text(text: str, params: Mapping) -> str:
    """Returns the detail of a text that only this system writes. English log text (without Chinese) is left out."""
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
