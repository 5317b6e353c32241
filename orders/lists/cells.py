"""Cells that several lists and pages have: shortened texts, JSON in a readable form, and why a row failed."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from notifications.masks import head
from orders.history.people import actor_of
from orders.texts.incident_causes import cause_of
from orders.texts.untrusted_text import pretty, with_rest

MAX_BYTES = 4096  # bytes; a list of fifty rows stays small enough for a page


def cut(text: str) -> str:
    """The part of the text for which the column has room, with more on hover; `-` if it is empty."""
    text, more = head(str(text), MAX_BYTES)
    text = with_rest(text, more)
    return format_html('<span class="cut" title="{0}">{0}</span>', text) if text else "-"


def json_block(value) -> str:
    """The value in a block of its own, indented and with Chinese unescaped. A dash if there is none."""
    return format_html('<pre class="payload">{}</pre>', pretty(value)) if value else "-"


def row_link(name: str, pk: int, text: str) -> str:
    """A link to a row's page. `name`: as its addresses begin, such as `orders_order`."""
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{name}_change", args=[pk]), text)


def column(label, read: Callable[[Any], Any], **display) -> Callable:
    """A column, or a line of a page, with what `read` says of a row. `display`: as `admin.display` takes it."""

    @admin.display(description=label, **display)
    def shown(_self, row):
        return read(row)

    return shown


def actor_field(name: str, label, *, account: str = "", at: str = "") -> Callable:
    """A column, or a line of a page, with who did it; `-` for nobody. `account`, `at`: fields, for `name_of`."""

    def who(row):
        account_id, moment = getattr(row, account) if account else None, getattr(row, at) if at else None
        return actor_of(getattr(row, name), account_id, moment)[0] or "-"

    return column(label, who)


class CauseCells:
    cause = column(_("cause"), lambda obj: cause_of(obj.error_code).what if obj.error_code else "-")
    what_to_do = column(_("what to do"), lambda obj: cause_of(obj.error_code).next if obj.error_code else "-")
