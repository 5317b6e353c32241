"""Reads the body of a call to one of our addresses. A slow caller does not keep a thread for ever.

A body may take BODY_SECONDS in all, and its caller be silent for SILENT_SECONDS. nginx in front waits for the whole
body before it asks us, so this is for whoever calls gunicorn itself; gunicorn.conf.py bounds the head.
"""

import socket
import time
from contextlib import suppress

from django.http import HttpRequest

from integrations.outbound.deadline import reading

SILENT_SECONDS = 10
BODY_SECONDS = 20
MOST_DISCARDED = 16 * 1024 * 1024
AT_ONCE = 64 * 1024


class BodyBrokenError(Exception):
    """The body did not come whole: the connection broke, was too slow or fell silent, or its chunks are none."""


class BodyTooLargeError(Exception):
    """The body has more bytes than may be."""


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
