"""JSON, readable: two spaces, Chinese as Chinese."""

import json

from django.utils.html import format_html

from orders import foreign_json


def pretty(value) -> str:
    """A value, or a text that may hold JSON, laid out over lines; a text that is no JSON stays as it is."""
    if isinstance(value, str):
        try:
            value = foreign_json.load(value)
        except ValueError:
            return value
    return json.dumps(value, ensure_ascii=False, indent=2)


def json_block(value) -> str:
    """The value in a block of its own; a dash where there is nothing."""
    return format_html('<pre class="payload">{}</pre>', pretty(value)) if value else "-"
