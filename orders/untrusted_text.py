"""Texts and JSON that others wrote, as a page may show them: they can hold more than an answer of ours can."""

import itertools
import json

from django.utils.translation import gettext as _

from notifications.masks import MOST, head

DEEPEST = 64
MOST_VALUES = 250_000
"""More than two megabytes of the shortest domains hold: to walk through what is larger would take its time."""


def load(text: str) -> object:
    """The value of a JSON text, halves of surrogate pairs as question marks.

    Raises ValueError for what is no JSON, has more than MOST_VALUES or is nested deeper than DEEPEST: that is shown as
    the text that it is.
    """
    if sum(map(text.count, "[{,")) > MOST_VALUES:  # told without parsing it
        raise ValueError("too many values")
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if _depth_exceeds(value, DEEPEST):
        raise ValueError("nested too deep")
    if "\\u" in text:  # only an escape can bring one in
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


def pretty(value) -> str:
    """A value, or a text that may hold JSON, laid out over lines; a text that is no JSON stays as it is.

    At most MOST bytes; how many more there are stands below.
    """
    if isinstance(value, str):
        if not value.lstrip().startswith(("{", "[")):
            return bounded(value)
        try:
            value = load(value)
        except ValueError:
            return bounded(value)
    return _laid_out(value)


def bounded(text: str) -> str:
    """The text, or its first MOST bytes and how many more there are."""
    return with_rest(*head(text))


def with_rest(shown: str, more: int) -> str:
    """What is shown of a text, and how much is not."""
    return shown + _("… (%(bytes)s more bytes)") % {"bytes": more} if more else shown


def _laid_out(value: object) -> str:
    """Piece by piece: deep JSON grows to many times its length when it is laid out."""
    pieces, size = [], 0
    written = iter(json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(value))
    for piece in written:
        pieces.append(piece)
        size += len(piece)
        if size > MOST:
            break
    shown, more = head("".join(pieces))
    return with_rest(shown, more + sum(len(piece.encode("utf-8", "replace")) for piece in written))


def _depth_exceeds(value: object, most: int) -> bool:
    """Level by level: a function that calls itself would meet the same limit."""
    level = [value]
    for _level in range(most):
        level = list(itertools.chain.from_iterable(map(_inner, level)))
        if not level:
            return False
    return True


def _inner(value: object) -> list:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
