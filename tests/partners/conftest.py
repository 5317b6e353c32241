"""A partner that sends raw bytes, for answers that a correct server would not send."""

import contextlib

import pytest

from tests.harness.loopback import LoopbackServer


class RawPartner(LoopbackServer):
    """A partner that calls `answer(connection)` for each connection. `heard` is the number of requests."""

    def __init__(self, answer):
        self.answer = answer
        self.heard = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/x"

    def talk(self, connection):
        connection.recv(65536)
        self.heard += 1
        self.answer(connection)


@pytest.fixture
def raw_partner():
    """Returns a function that starts a raw partner: `raw_partner(answer)`. `answer` gets the connection after a
    request has begun to arrive."""
    with contextlib.ExitStack() as stack:
        yield lambda answer: stack.enter_context(RawPartner(answer))


@pytest.fixture
def sandbox(sandbox_over_http):
    return sandbox_over_http
