"""Shortens texts for the columns of lists."""

from django.utils.html import format_html

from notifications.masks import head
from orders.untrusted_text import with_rest

MOST = 4096  # bytes; a list of fifty rows stays small enough for a page


def cut(text: str) -> str:
    """The part of the text for which the column has room, with more on hover; `-` if it is empty."""
    text, more = head(str(text), MOST)
    text = with_rest(text, more)
    return format_html('<span class="cut" title="{0}">{0}</span>', text) if text else "-"
