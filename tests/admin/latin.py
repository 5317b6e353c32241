"""Finds the Latin words on pages that staff would read. The test fills the rows with digits and Chinese, so that every
Latin word that is left comes from the desk itself.
"""

import re
from html.parser import HTMLParser

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import models

from approvals.models import ApprovalRecord
from orders.models import OrderEvent

LET_THROUGH = {
    "IBS": "the desk's name",
    "BPM": "the system's name",
    "BBOSS": "the system's name",
    "CDN": "the product's name",
    "Excel": "the program's name",
    "xlsx": "how a file's name ends",
    "xls": "how a file's name ends",
    "csv": "how a file's name ends",
    "Ctrl": "what stands on the key",
    "YYYYMMDDHHMMSS": "a part of a file's name, as the contract has it",
    "True": "what Django's icon is called",
    "False": "what Django's icon is called",
    "None": "a task without a payload",
    "OrmQ": "how django-q2 calls a queued task, for engineers",
    "object": "the same",
}
WORD = re.compile(r"[A-Za-z]{3,}")
VALUES = re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b[0-9a-f]{32,64}\b|\S*example\.com\b|\btestserver\S*")
"""What a row has to hold: ids that the desk makes, and addresses."""
UNSEEN = {"script", "style", "head", "pre", "code"}  # `pre` and `code` are the parts for engineers: as sent, as logged
READ = ("title", "alt", "placeholder", "aria-label")  # read aloud, or shown when the mouse points at it
CODES = {
    "actor",
    "code",
    "error_code",
    "format",
    "gate",
    "kind",
    "list_name",
    "partner",
    "payload",
    "query",
    "step",
    "password",
}
"""Fields whose values the desk reads; pages have words for them."""
LOGGED = {"error": "timeout: no answer in time", "last_error": "timeout: no answer in time", "rsp_desc": "bad: x is y"}


class Shown(HTMLParser):
    """The texts of a page that people or screen readers read."""

    def __init__(self, page: str):
        super().__init__()
        self.texts, self.unseen = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag in UNSEEN:
            self.unseen.append(tag)
        given = dict(attributes)
        self.texts += [given[name] or "" for name in READ if name in given]
        self.texts += [given.get("value") or ""] if tag == "input" and given.get("type") == "submit" else []

    def handle_endtag(self, tag):
        if self.unseen and tag == self.unseen[-1]:
            self.unseen.pop()

    def handle_data(self, data):
        if not self.unseen or self.lasttag == "title":
            self.texts.append(data)


def latin(texts) -> list[str]:
    """Returns the texts that contain a Latin word outside `LET_THROUGH`."""
    return sorted({" ".join(text.split()) for text in texts if {*WORD.findall(VALUES.sub("", text))} - {*LET_THROUGH}})


def english(answers: dict) -> dict:
    """Returns `{page: its texts with Latin words}` for the answers of `walking.ask`."""
    return {name: found for name, answer in answers.items() if (found := latin(Shown(answer.page).texts))}


def fill_with_digits_and_chinese() -> None:
    """Fills all texts that people and partners write into rows. What the desk logs of a partner is English."""
    for model in admin.site._registry.keys() - {ApprovalRecord, LogEntry, OrderEvent}:  # rows that nobody can change
        for row in model._base_manager.all():
            if values := _values(row):
                model._base_manager.filter(pk=row.pk).update(**values)


def _values(row) -> dict:
    found = {}
    for field in row._meta.concrete_fields:
        written = isinstance(field, models.CharField | models.TextField) and not (field.choices or field.primary_key)
        value = getattr(row, field.attname)
        if field.name in LOGGED and field.model.__name__ not in {"Export", "BulkRun"}:
            found[field.name] = LOGGED[field.name]
        elif written and value and WORD.search(value) and (field.unique or field.name not in CODES):
            found[field.name] = str(row.pk) if field.unique else "示例"
    return found
