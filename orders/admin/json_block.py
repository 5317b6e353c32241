"""Shows JSON in a readable form: indented by two spaces, Chinese unescaped."""

from django.utils.html import format_html

from orders.untrusted_text import pretty


def json_block(value) -> str:
    """The value in a block of its own. A dash if there is none."""
    return format_html('<pre class="payload">{}</pre>', pretty(value)) if value else "-"
