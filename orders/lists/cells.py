"""Cells that several lists and pages have: shortened texts, JSON in a readable form, and why a row failed."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from notifications.masks import head
from orders.incident_causes import cause_of
from orders.untrusted_text import pretty, with_rest

MAX_BYTES = 4096  # bytes; a list of fifty rows stays small enough for a page


def cut(text: str) -> str:
    """The part of the text for which the column has room, with more on hover; `-` if it is empty."""
    text, more = head(str(text), MAX_BYTES)
    text = with_rest(text, more)
    return format_html('<span class="cut" title="{0}">{0}</span>', text) if text else "-"


def json_block(value) -> str:
    """The value in a block of its own, indented and with Chinese unescaped. A dash if there is none."""
    return format_html('<pre class="payload">{}</pre>', pretty(value)) if value else "-"


class CauseCells:
    """The cause of a row's `error_code`, and what to do about it."""

    @admin.display(description=_("cause"))
    def cause(self, obj):
        return cause_of(obj.error_code).what if obj.error_code else "-"

    @admin.display(description=_("what to do"))
    def what_to_do(self, obj):
        return cause_of(obj.error_code).next if obj.error_code else "-"
