"""Reads the body of a call to one of our addresses: within a time, and as strict JSON.

A slow caller does not keep a thread for ever. What two readers could understand differently is refused (contract 2.3,
code 20105).

A body may take BODY_SECONDS in all, and its caller be silent for SILENT_SECONDS. nginx in front waits for the whole
body before it asks us, so this is for whoever calls gunicorn itself; gunicorn.conf.py bounds the head.
"""

import json
import math
import re
import socket
import time
from collections import Counter
from contextlib import suppress

from django.http import HttpRequest

from integrations.outbound.deadline import reading
from orders.content import canonical_json
from orders.untrusted_text import MOST_VALUES

LARGEST = 2 * 1024 * 1024  # bytes of a call of BBOSS or BPM (contract 2.3, 3.6)
SILENT_SECONDS = 10
BODY_SECONDS = 20
MOST_DISCARDED = 16 * 1024 * 1024
AT_ONCE = 64 * 1024
DEEPEST = 32
# A string, ended or not, or a bracket. Possessive, so that no text makes it go back: its time is linear.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


class BodyBrokenError(Exception):
    """The body did not come whole: the connection broke, was too slow or fell silent, or its chunks are none."""


class BodyTooLargeError(Exception):
    """The body has more bytes than may be."""


class BadJsonError(ValueError):
    """The text is not JSON as we accept it; the message says why, in words for the sender's engineer."""


def read_body(request: HttpRequest, most: int, *, endless: bool) -> bytes:
    """The body, of at most `most` bytes. `endless`: it comes without a length, the server says where it ends.

    Raises BodyBrokenError, and BodyTooLargeError once the rest has been discarded.
    """
    try:
        body = _stream(request, endless=endless).read(most + 1)
    except Exception as error:  # Django's, the socket's, and the server's own for bad chunks: no common base
        raise BodyBrokenError(f"the body could not be read: {type(error.__cause__ or error).__name__}") from error
    if len(body) > most:
        discard_body(request, endless=endless)
        raise BodyTooLargeError(f"more than {most} bytes")
    return body


def discard_body(request: HttpRequest, *, endless: bool) -> None:
    """Takes in what is left of a body that is refused, up to MOST_DISCARDED.

    A connection closed while its caller still writes is a broken pipe to it, and our answer is never read.
    """
    left = MOST_DISCARDED
    with suppress(Exception):  # refused already: nothing to report
        while left > 0 and (taken := _stream(request, endless=endless).read(AT_ONCE)):
            left -= len(taken)


def _stream(request: HttpRequest, *, endless: bool):
    # Django reads nothing without a Content-Length, so such a body is taken from the server's own stream.
    return request.META["wsgi.input"] if endless else request


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
    brackets = text.count("[") + text.count("{")
    if brackets + text.count(",") > MOST_VALUES:
        raise BadJsonError(f"more than {MOST_VALUES} values")
    if brackets > DEEPEST:
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


class BodiesInTime:
    """A WSGI application around ours: reading a body ends in time, on staff's pages too."""

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        connection = environ.get("gunicorn.socket")  # under another server there is nothing to hold on to
        if connection is not None:
            environ["wsgi.input"] = _InTime(environ["wsgi.input"], connection)
        return self.application(environ, start_response)


class _InTime:
    """The server's stream of a body; reading raises TimeoutError once the time is up, counted from the first read."""

    def __init__(self, stream, connection: socket.socket):
        self._stream, self._connection = stream, connection
        self._until = 0.0

    def read(self, *size: int) -> bytes:
        return self._in_time(self._stream.read, *size)

    def readline(self, *size: int) -> bytes:
        return self._in_time(self._stream.readline, *size)

    def _in_time(self, read, *size: int) -> bytes:
        now = time.monotonic()
        self._until = self._until or now + BODY_SECONDS
        self._connection.settimeout(SILENT_SECONDS)
        try:
            with reading(self._connection, self._until - now) as call:
                data = read(*size)
        finally:
            self._connection.settimeout(None)
        if call.expired:  # what looks like the end of the body is none
            raise TimeoutError(f"the body did not come within {BODY_SECONDS} s")
        return data
