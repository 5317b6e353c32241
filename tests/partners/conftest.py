"""A partner that sends raw bytes, for everything that a well-behaved server would not do."""

import contextlib
import socket
import threading

import pytest


class RawPartner:
    """Takes connections on loopback and lets `talk(connection)` answer each; `heard` counts the requests."""

    def __init__(self, talk):
        self.talk = talk
        self.heard = 0
        self.stop = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/x"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with contextlib.suppress(OSError), connection:
            connection.recv(65536)
            self.heard += 1
            self.talk(connection)

    def close(self):
        self.stop.set()
        self.listener.close()


@pytest.fixture
def raw_partner():
    """`raw_partner(talk)` starts a partner; `talk` gets the connection once a request has begun to arrive."""
    started = []

    def start(talk):
        started.append(RawPartner(talk))
        return started[-1]

    yield start
    for partner in started:
        partner.close()


@pytest.fixture
def sandbox(sandbox_over_http):
    return sandbox_over_http
