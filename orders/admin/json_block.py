"""JSON, readable: two spaces, Chinese as Chinese."""

from django.utils.html import format_html

from orders.untrusted_text import pretty


def json_block(value) -> str:
    """The value in a block of its own; a dash where there is nothing."""
    return format_html('<pre class="payload">{}</pre>', pretty(value)) if value else "-"
