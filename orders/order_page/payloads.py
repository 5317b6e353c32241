"""A payload as rows that a person can read: key, what it means, value. Pure."""

from dataclasses import dataclass

from django.utils.functional import Promise

from orders import untrusted_text
from orders.order_page.glossary import WORDS

MAX_ROWS = 200
MAX_CHARACTERS = 40_000


@dataclass(frozen=True)
class PayloadLine:
    """One key. `value` is empty where its own keys follow; `depth` says how far it is moved in."""

    depth: int
    key: str
    word: str | Promise
    value: str


def explain(text: str) -> list[PayloadLine]:
    """The lines of a JSON object; none for a text that is no JSON (cut, or foreign)."""
    try:
        value = untrusted_text.load(text)
    except ValueError:
        return []
    return _lines(value, 0)[:MAX_ROWS] if isinstance(value, dict | list) else []


def _lines(value: dict | list, depth: int) -> list[PayloadLine]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value, start=1)
    return [line for key, inner in pairs for line in _line(str(key), inner, depth)]


def _line(key: str, value, depth: int) -> list[PayloadLine]:
    word = WORDS.get(key, "")
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(row, dict | list) for row in value)):
        return [PayloadLine(depth, key, word, ""), *_lines(value, depth + 1)]
    if isinstance(value, list):
        return [PayloadLine(depth, key, word, ", ".join(str(row) for row in value))]
    return [PayloadLine(depth, key, word, str(value))]
