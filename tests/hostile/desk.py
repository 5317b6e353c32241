"""A desk in this process. It answers a hostile request, returns the promises that the request broke, and undoes what
was stored."""

import io
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from wsgiref.util import setup_testing_defaults

from django.core import signals
from django.core.handlers.wsgi import WSGIHandler
from django.db import close_old_connections, transaction
from django.http import HttpResponse

from project.base.logs import LineFormatter, MaskFilter
from tests.hostile.promises import Answer, Counts, broken
from tests.hostile.wire import Request

ENDS = (signals.request_started, signals.request_finished)


@contextmanager
def connection_stays_open() -> Iterator[None]:
    """Within the block, requests leave the database connection open, because they run in the test's transaction."""
    for signal in ENDS:
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in ENDS:
            signal.connect(close_old_connections)


class Desk:
    """Use it as `with connection_stays_open(): Desk().faults(request)`. Each request finds the database in its first
    state.

    `log` contains the log lines of the last request, and `seen` every code that was answered.
    """

    def __init__(self):
        self.application = WSGIHandler()  # not the test client, which keeps parts of each request in memory
        self.before = Counts.now()
        self.log, self.seen = "", set()

    def faults(self, request: Request) -> list[str]:
        """Returns the promises that this request breaks, and undoes all that it stored."""
        try:
            with transaction.atomic():
                faults = broken(request, self.answer(request))
                transaction.set_rollback(True)
        except Exception as error:  # a broken transaction, or an answer of a wrong form: both are faults
            return [f"{type(error).__name__}: {str(error)[:300]}"]
        return faults

    def answer(self, request: Request) -> Answer:
        """Returns the desk's answer to the request."""
        began, idle = time.perf_counter(), time.thread_time()
        with self._own_log():
            response = self._call(environ(request))
        worked, seconds = time.thread_time() - idle, time.perf_counter() - began
        self.seen.add(_code(response.content))
        return Answer(
            status=response.status_code,
            content_type=response.get("Content-Type", ""),
            content=response.content,
            worked=worked,
            seconds=seconds,
            stored=Counts.now().since(self.before),
            log=self.log,
        )

    def _call(self, environ: dict) -> HttpResponse:
        response = self.application(environ, lambda status, headers: None)
        response.close()
        return response

    @contextmanager
    def _own_log(self) -> Iterator[None]:
        """Sends the project's log lines only to `log`."""
        root, handler = logging.getLogger(), logging.StreamHandler(io.StringIO())
        handler.addFilter(MaskFilter())
        handler.setFormatter(LineFormatter())
        handlers, root.handlers = root.handlers, [handler]
        try:
            yield
        finally:
            root.handlers, self.log = handlers, handler.stream.getvalue()


def _code(content: bytes) -> str | int | None:
    """Returns the rspCode, or BPM's code. Returns None if the answer has neither form."""
    try:
        body = json.loads(content)
        return body["response"]["rspCode"] if "response" in body else body["code"]
    except (ValueError, KeyError, TypeError):
        return None


def environ(request: Request) -> dict:
    """Returns the WSGI environment of the request. The body ends with its last byte, whatever Content-Length says."""
    values = {
        "REQUEST_METHOD": request.method.upper(),
        "PATH_INFO": request.path,
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": request.content_type,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.input": io.BytesIO(request.body),
        **request.meta,
    }
    setup_testing_defaults(values)
    return values
