"""Prepares texts and JSON from others for a page. They can be larger and deeper than what we write ourselves."""

import itertools
import json

from django.utils.translation import gettext as _

from notifications.masks import BYTES_SHOWN, head

DEEPEST = 64
MAX_VALUES = 250_000
"""More than two megabytes of the shortest domains have. Walking through more would take too long."""


def load(text: str) -> object:
    """The value of a JSON text. Lone halves of surrogate pairs become question marks.

    Raises ValueError if it is not JSON, has more than MAX_VALUES or is nested deeper than DEEPEST. Such a text is
    shown as it is.
    """
    if sum(map(text.count, "[{,")) > MAX_VALUES:  # counted without parsing
        raise ValueError("too many values")
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if _depth_exceeds(value, DEEPEST):
        raise ValueError("nested too deep")
    if "\\u" in text:  # only an escape can make a lone half
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


def pretty(value) -> str:
    """Lays out a value, or a text of JSON, over lines; at most BYTES_SHOWN, and a line that says how many more."""
    if isinstance(value, str):
        if not value.lstrip().startswith(("{", "[")):
            return bounded(value)
        try:
            value = load(value)
        except ValueError:
            return bounded(value)
    return _laid_out(value)


def bounded(text: str) -> str:
    """The text, or its first BYTES_SHOWN and how many more there are."""
    return with_rest(*head(text))


def with_rest(shown: str, more: int) -> str:
    """The shown part of a text, with a line that says how much is left out."""
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
    """Returns True if a value is nested deeper than `most`. Goes level by level, since recursion would hit the same
    limit."""
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
