"""Cells for lists and pages: shortened texts, formatted JSON, links, and the cause of a row's failure."""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html

from notifications.masks import head
from orders.history.actors import actor_of
from orders.texts.untrusted_text import pretty, with_rest

MAX_BYTES = 4096  # bytes; this keeps a page of fifty rows small


def clipped(text: object) -> str:
    """Returns the text as HTML. CSS cuts it to the column's width, and hovering shows the whole text."""
    return format_html('<span class="cut" title="{0}">{0}</span>', text)


def cut(text: str | Promise) -> str:
    """Returns the first MAX_BYTES of the text, formatted by `clipped`, or `-` if the text is empty."""
    return clipped(with_rest(*head(str(text), MAX_BYTES))) if text else "-"


def json_block(value) -> str:
    """Returns the value as an indented JSON block with unescaped Chinese, or `-` if the value is empty."""
    return format_html('<pre class="payload">{}</pre>', pretty(value)) if value else "-"


def row_link(name: str, pk: int, text: str) -> str:
    """Returns a link to a row's page. `name`: the prefix of its URL names, such as `orders_order`."""
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{name}_change", args=[pk]), text)


def column(label, value: Callable[[Any], Any], cell: Callable[[Any], Any] | None = None, **display) -> Callable:
    """Returns a column or a field of a page. `value` computes the row's value for files. Pages use `cell`, which may
    return HTML, or `value` if there is no `cell`. `display`: arguments of `admin.display`."""
    shown = admin.display(description=label, **display)(functools.partial(cell or value))
    shown.value = value
    return staticmethod(shown)


def cut_column(label, text: Callable[[Any], Any], cell: Callable[[Any], str] = cut, **display) -> Callable:
    """Returns a column for a text or None. Pages show the text as shortened by `cell`."""
    return column(label, text, lambda row: None if (found := text(row)) is None else cell(found), **display)


def actor_field(name: str, label, *, account: str = "", at: str = "") -> Callable:
    """Returns a column or a field that shows the actor, or `-` for nobody. `account`, `at`: the names of the fields
    that are passed to `name_of`."""

    def who(row):
        account_id, moment = getattr(row, account) if account else None, getattr(row, at) if at else None
        return actor_of(getattr(row, name), account_id, moment)[0] or "-"

    return column(label, who)
