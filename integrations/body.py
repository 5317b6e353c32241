"""Reads the body of a call to one of our addresses. A caller that falls silent does not keep a thread for ever."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.http import HttpRequest

SILENT_SECONDS = 10
MOST_DISCARDED = 16 * 1024 * 1024
AT_ONCE = 64 * 1024


class BodyBrokenError(Exception):
    """The body did not come whole: the connection broke or fell silent, or its chunks are none."""


class BodyTooLargeError(Exception):
    """The body has more bytes than may be."""


def read_body(request: HttpRequest, most: int, *, endless: bool) -> bytes:
    """The body, of at most `most` bytes. `endless`: it comes without a length, the server says where it ends.

    Raises BodyBrokenError, and BodyTooLargeError once the rest has been discarded.
    """
    try:
        with _not_for_ever(request.META.get("gunicorn.socket")):
            body = _stream(request, endless=endless).read(most + 1)
    except Exception as error:  # Django's, the socket's, and the server's own for bad chunks: no common base
        raise BodyBrokenError(f"the body could not be read: {type(error).__name__}") from error
    if len(body) > most:
        discard_body(request, endless=endless)
        raise BodyTooLargeError(f"more than {most} bytes")
    return body


def discard_body(request: HttpRequest, *, endless: bool) -> None:
    """Takes in what is left of a body that is refused, up to MOST_DISCARDED.

    A connection closed while its caller still writes is a broken pipe to it, and our answer is never read.
    """
    left = MOST_DISCARDED
    with suppress(Exception), _not_for_ever(request.META.get("gunicorn.socket")):  # refused already: nothing to report
        while left > 0 and (taken := _stream(request, endless=endless).read(AT_ONCE)):
            left -= len(taken)


def _stream(request: HttpRequest, *, endless: bool):
    # Django reads nothing without a Content-Length, so such a body is taken from the server's own stream.
    return request.META["wsgi.input"] if endless else request


@contextmanager
def _not_for_ever(connection: socket.socket | None) -> Iterator[None]:
    """Gives up a caller that sends nothing for SILENT_SECONDS: eight of them would hold all threads of a small site."""
    if connection is None:
        yield
        return
    connection.settimeout(SILENT_SECONDS)
    try:
        yield
    finally:
        connection.settimeout(None)
