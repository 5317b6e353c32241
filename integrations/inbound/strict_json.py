"""Reads JSON strictly: what two readers could understand differently is refused (contract 2.3, code 20105)."""

import json
import math
import re
from collections import Counter

from orders.content import canonical_json
from orders.untrusted_text import MOST_VALUES, has_too_many_values

DEEPEST = 32
# A string, ended or not, or a bracket. Possessive, so that no text makes it go back: its time is linear.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


class BadJsonError(ValueError):
    """The text is not JSON as we accept it; the message says why, in words for the sender's engineer."""


def parse_bytes(body: bytes) -> dict:
    """The object in a UTF-8 body. Raises BadJsonError."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJsonError(f"not UTF-8 (byte {error.start})") from None
    return parse_text(text)


def parse_text(text: str) -> dict:
    """The object in a text. Refused are: another type than an object, a key twice in one object, NaN, Infinity, a
    number that overflows, more than 32 levels or 250,000 values, and half of a surrogate pair. Raises BadJsonError."""
    if has_too_many_values(text):
        raise BadJsonError(f"more than {MOST_VALUES} values")
    _check_depth(text)
    value = _parse(text)
    if not isinstance(value, dict):
        raise BadJsonError("the outermost value is not an object")
    if "\\u" in text:  # only an escape can bring one in, UTF-8 can't
        _check_surrogates(value)
    return value


def _parse(text: str):
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except BadJsonError:
        raise
    except json.JSONDecodeError as error:
        raise BadJsonError(f"not JSON: {error}") from None
    except ValueError:  # Python's limit on the digits of a whole number
        raise BadJsonError("a number has too many digits") from None


def _check_depth(text: str) -> None:
    """Before parsing, since the parser recurses: a body of brackets only must cost nothing."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        token = match.group()
        if token in ("[", "{"):
            depth += 1
            if depth > DEEPEST:
                raise BadJsonError(f"nested deeper than {DEEPEST} levels")
        elif token in ("]", "}"):
            depth -= 1


def _object(pairs: list[tuple]) -> dict:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise BadJsonError(f"the key {ascii(twice)[:80]} is there twice in one object")
    return value


def _constant(name: str):
    raise BadJsonError(f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadJsonError(f"the number {text[:40]} is too large")
    return value


def _check_surrogates(value: dict) -> None:
    try:
        canonical_json(value).encode()
    except UnicodeEncodeError:
        raise BadJsonError("a string holds half of a surrogate pair") from None
