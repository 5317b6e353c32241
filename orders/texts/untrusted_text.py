"""Prepares texts and JSON from other systems for a page. They can be larger and more deeply nested than our own."""

import itertools
import json

from django.utils.translation import gettext as _

from notifications.masks import BYTES_SHOWN, head

DEEPEST = 64
MAX_VALUES = 250_000
"""More than two megabytes of the shortest domains have. Walking through more would take too long."""


def load(text: str) -> object:
    """Returns the value of a JSON text. Lone surrogates become question marks.

    Raises ValueError if the text is not JSON, has more than MAX_VALUES values or is nested deeper than DEEPEST. Pages
    then show the text unchanged.
    """
    if sum(map(text.count, "[{,")) > MAX_VALUES:  # counted without parsing
        raise ValueError("too many values")
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if _depth_exceeds(value, DEEPEST):
        raise ValueError("nested too deep")
    if "\\u" in text:  # only an escape can produce a lone surrogate
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


def pretty(value) -> str:
    """Returns a value, or a JSON text, with indentation, cut to BYTES_SHOWN and with a note of the bytes left out."""
    if isinstance(value, str):
        if not value.lstrip().startswith(("{", "[")):
            return bounded(value)
        try:
            value = load(value)
        except ValueError:
            return bounded(value)
    return _laid_out(value)


def bounded(text: str) -> str:
    """Returns the text, cut to BYTES_SHOWN, with a note of the number of bytes left out."""
    return with_rest(*head(text))


def with_rest(shown: str, more: int) -> str:
    """Returns the shown part of a text, with a note of the number of bytes left out."""
    return shown + _("… (%(bytes)s more bytes)") % {"bytes": more} if more else shown


def _laid_out(value: object) -> str:
    pieces, size = [], 0
    written = iter(json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(value))
    for piece in written:
        pieces.append(piece)
        size += len(piece)
        if size > BYTES_SHOWN:
            break
    shown, more = head("".join(pieces))
    return with_rest(shown, more + sum(len(piece.encode("utf-8", "replace")) for piece in written))


def _depth_exceeds(value: object, most: int) -> bool:
    """Returns True if a value is nested deeper than `most`.

    It walks level by level, since recursion would exceed the recursion limit.
    """
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
