"""What a list's column shows of a text."""

from django.utils.html import format_html


def cut(text: str) -> str:
    """As much of it as the column has room for, the whole of it on hover; `-` where there is none."""
    return format_html('<span class="cut" title="{0}">{0}</span>', text) if text else "-"
