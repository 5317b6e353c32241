"""What a list's column shows of a text."""

from django.utils.html import format_html

from notifications.masks import head
from orders.untrusted_text import with_rest

MOST = 4096  # bytes; fifty rows of a list stay a page


def cut(text: str) -> str:
    """As much of it as the column has room for, more of it on hover; `-` where there is none."""
    text, more = head(str(text), MOST)
    text = with_rest(text, more)
    return format_html('<span class="cut" title="{0}">{0}</span>', text) if text else "-"
