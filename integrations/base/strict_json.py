"""Parses the body of an incoming request as strict JSON.

Rejects texts that two parsers could understand differently (contract 2.3, code 20105).
"""

import functools
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

from django.http import HttpRequest

from orders.texts.untrusted_text import MAX_VALUES

MAX_BODY_BYTES = 2 * 1024 * 1024  # bytes of a request of BBOSS or BPM (contract 2.3, 3.6)
MAX_DISCARDED = 16 * 1024 * 1024
CONTENT_TYPE = re.compile(rb"^content-type:\s*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
AT_ONCE = 64 * 1024
DEEPEST = 32
TOO_DEEP = f"nested deeper than {DEEPEST} levels"
HOLDERS = {dict, list}
SIGNS = len("-.e-")  # the most characters of a number that are not digits


class BodyBrokenError(Exception):
    """The body is incomplete: the connection broke, or its chunks are malformed."""


class BodyTooLargeError(Exception):
    """The body is larger than allowed."""


class BadJsonError(ValueError):
    """The text is not JSON as we accept it. The message gives the reason, for the sender's engineers."""


class OutOfBoundsError(BadJsonError):
    """The text has too many values, or a number with too many digits, for its sender."""


def read_body(request: HttpRequest, *, without_length: bool) -> bytes:
    """Returns the body. `without_length` is True if the request has no Content-Length.

    Raises BodyBrokenError, or BodyTooLargeError after discarding the rest of the body.
    """
    try:
        body = _stream(request, without_length=without_length).read(MAX_BODY_BYTES + 1)
    except Exception as error:  # errors of Django, the socket and the server have no common base class
        raise BodyBrokenError(f"the body could not be read: {type(error.__cause__ or error).__name__}") from error
    if len(body) > MAX_BODY_BYTES:
        discard_body(request, without_length=without_length)
        raise BodyTooLargeError(f"more than {MAX_BODY_BYTES} bytes")
    return body


def content_type_in(head: bytes) -> str:
    """Returns the Content-Type in the HTTP headers of a message from a file, or "" if there is none."""
    found = CONTENT_TYPE.search(head)
    return found[1].decode("latin-1").strip() if found else ""


def discard_body(request: HttpRequest, *, without_length: bool) -> None:
    """Reads and drops at most MAX_DISCARDED bytes of a rejected body. Otherwise a caller that is still writing would
    get a broken pipe instead of the response."""
    left = MAX_DISCARDED
    with suppress(Exception):  # the request is already rejected: there is nothing to report
        while left > 0 and (taken := _stream(request, without_length=without_length).read(AT_ONCE)):
            left -= len(taken)


def _stream(request: HttpRequest, *, without_length: bool):
    # Django reads nothing without a Content-Length, so read such a body from the server's own stream.
    return request.META["wsgi.input"] if without_length else request


@dataclass(frozen=True)
class Bounds:
    """The limits of a message: the number of values (counted by brackets and commas), and the number of digits in a
    number."""

    values: int = MAX_VALUES
    digits: int | None = None  # None: only Python's own limit


GENERAL_BOUNDS = Bounds()
UNSIGNED_BOUNDS = Bounds(digits=40)
STRANGER_BOUNDS = Bounds(values=16_000, digits=40)
"""The limits for senders without a token of ours. With these limits, parsing any text of 2 MiB takes less than twice
as long as parsing 2 MiB of letters."""


def parse_bytes(body: bytes, bounds: Bounds = GENERAL_BOUNDS) -> dict:
    """Returns the object in a UTF-8 body. Raises BadJsonError."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJsonError(f"not UTF-8 (byte {error.start})") from None
    return parse_text(text, bounds)


def parse_text(text: str, bounds: Bounds = GENERAL_BOUNDS, *, written: bool = False) -> dict:
    """Returns the JSON object in a text. With `written`, decimals are `NumberWithText` objects, which keep their text.

    Raises BadJsonError for another type than an object, duplicate keys, NaN, Infinity, numbers that overflow, more than
    32 levels, and unpaired surrogates. Raises its subclass OutOfBoundsError for a text that exceeds `bounds`.
    """
    brackets = text.count("[") + text.count("{")
    if brackets + text.count(",") > bounds.values:
        raise OutOfBoundsError(f"more than {bounds.values} values")
    value = _parse(text, bounds.digits, NumberWithText if written else float)
    if not isinstance(value, dict):
        raise BadJsonError("the outermost value is not an object")
    if brackets > DEEPEST:
        _check_depth(value)
    if "\\ud" in text or "\\uD" in text:  # only an escape can contain a surrogate; UTF-8 can't
        _check_surrogates(value)
    return value


def _parse(text: str, digits: int | None, decimal: type[float]):
    numbers = {} if digits is None else {"parse_int": _short(int, digits)}
    of_text = functools.partial(_float, decimal)
    read_float = of_text if digits is None else _short(of_text, digits)
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=read_float, **numbers)
    except BadJsonError:
        raise
    except json.JSONDecodeError as error:
        raise BadJsonError(f"not JSON: {error}") from None
    except RecursionError:
        raise BadJsonError(TOO_DEEP) from None
    except ValueError:  # Python's limit on the digits of an integer
        raise BadJsonError("a number has too many digits") from None


def _short(read: Callable, digits: int) -> Callable:
    def read_short(text: str):
        if len(text) > digits and (len(text) > digits + SIGNS or sum(map(str.isdigit, text)) > digits):
            raise OutOfBoundsError(f"a number has more than {digits} digits")
        return read(text)

    return read_short


def _levels(value: dict) -> Iterator[list]:
    """Yields the contents of a value level by level: keys, values and items."""
    level: list = [value]
    while level:
        parts = (chain.from_iterable(one.items()) if type(one) is dict else one for one in level)
        inside = list(chain.from_iterable(parts))
        yield inside
        level = [one for one in inside if type(one) in HOLDERS]


def _check_depth(value: dict) -> None:
    if any(number > DEEPEST for number, _ in enumerate(_levels(value), start=1)):
        raise BadJsonError(TOO_DEEP)


def _object(pairs: list[tuple]) -> dict:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise BadJsonError(f"the key {ascii(twice)[:80]} is there twice in one object")
    return value


def _constant(name: str):
    raise BadJsonError(f"{name} is not JSON")


class NumberWithText(float):
    """A number with a decimal point or an exponent. It keeps the text from which it was parsed."""

    def __init__(self, text: str):
        self.text = text


def _float(decimal: type[float], text: str) -> float:
    value = decimal(text)
    if not math.isfinite(value):
        raise BadJsonError(f"the number {text[:40]} is too large")
    return value


def _check_surrogates(value: dict) -> None:
    texts = (one for inside in _levels(value) for one in inside if type(one) is str)
    try:
        for text in texts:
            if not text.isascii():
                text.encode()
    except UnicodeEncodeError:
        raise BadJsonError("a string holds half of a surrogate pair") from None
