"""Cells that several lists and pages have: shortened texts, JSON in a readable form, and why a row failed."""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from notifications.masks import head
from orders.history.actors import actor_of
from orders.texts.incident_texts import cause_of
from orders.texts.untrusted_text import pretty, with_rest

MAX_BYTES = 4096  # bytes; a list of fifty rows stays small enough for a page


def clipped(text: object) -> str:
    """The part of the text for which the column has room, with more on hover."""
    return format_html('<span class="cut" title="{0}">{0}</span>', text)


def cut(text: str | Promise) -> str:
    """Shortens a text of any length as `clipped` does; `-` if it is empty."""
    return clipped(with_rest(*head(str(text), MAX_BYTES))) if text else "-"


def json_block(value) -> str:
    """The value in a block of its own, indented and with Chinese unescaped. A dash if there is none."""
    return format_html('<pre class="payload">{}</pre>', pretty(value)) if value else "-"


def row_link(name: str, pk: int, text: str) -> str:
    """A link to a row's page. `name`: as its addresses begin, such as `orders_order`."""
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{name}_change", args=[pk]), text)


def column(label, value: Callable[[Any], Any], cell: Callable[[Any], Any] | None = None, **display) -> Callable:
    """A column, or a line of a page. `value` of a row is what a file holds, and a page shows, unless `cell` makes
    markup of the row. `display`: as `admin.display` takes it."""
    shown = admin.display(description=label, **display)(functools.partial(cell or value))
    shown.value = value
    return staticmethod(shown)


def cut_column(label, text: Callable[[Any], Any], cell: Callable[[Any], str] = cut, **display) -> Callable:
    """A column with a text, or None, of which a page shows as much as fits."""
    return column(label, text, lambda row: None if (found := text(row)) is None else cell(found), **display)


def actor_field(name: str, label, *, account: str = "", at: str = "") -> Callable:
    """A column, or a line of a page, with who did it; `-` for nobody. `account`, `at`: fields, for `name_of`."""

    def who(row):
        account_id, moment = getattr(row, account) if account else None, getattr(row, at) if at else None
        return actor_of(getattr(row, name), account_id, moment)[0] or "-"

    return column(label, who)


class CauseCells:
    cause = column(_("cause"), lambda obj: cause_of(obj.error_code).what if obj.error_code else "-")
    what_to_do = column(_("what to do"), lambda obj: cause_of(obj.error_code).next if obj.error_code else "-")
