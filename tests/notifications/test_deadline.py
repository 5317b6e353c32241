"""A mail server that answers very slowly can't occupy a mail for longer than its lease (contract 3.9, Leases and
Mail).
"""

import socket
import time

import pytest

from integrations.delivery.channels import send_step
from tests.harness.loopback import LoopbackServer
from tests.notifications.test_sending import PAYLOAD
from tests.partners.test_acted_before import work

POLITE = {b"EHLO": b"250 drip", b"MAIL": b"250 OK", b"RCPT": b"250 OK", b"DATA": b"354 go on", b"QUIT": b"221 bye"}


class DrippingServer(LoopbackServer):
    """An SMTP server that answers normally at first. From `word` on (`greeting`, `EHLO`, `DATA`, `.`, `TLS`) it sends
    a byte each tenth of a second, for ten seconds. Every read of a client succeeds, but no reply is ever complete.
    """

    def __init__(self, word: str):
        self.word = word.encode()

    def talk(self, client: socket.socket):
        if self.word == b"TLS":
            client.sendall(b"\x16\x03\x03\x3f\xff")  # the start of a TLS record of 16 KiB
            self.say(client, b"TLS", b"")
        self.say(client, b"greeting", b"220 drip")
        lines = client.makefile("rb")
        for line in lines:
            verb = line[:4].upper()
            self.say(client, verb, POLITE.get(verb, b"250 OK"))
            if verb == b"DATA":
                while lines.readline().strip() != b".":
                    pass
                self.say(client, b".", b"250 taken")

    def say(self, client: socket.socket, word: bytes, reply: bytes):
        if word != self.word:
            client.sendall(reply + b"\r\n")
            return
        for _ in range(100):
            if not self.stopped.wait(0.1):
                client.sendall(b"2")
        client.close()


@pytest.fixture
def send(settings):
    """Returns a function. `send(word)` returns the outcome of a mail at a server that is slow from this word on, with
    a time limit of `seconds`.
    """

    def at_server(word: str, *, seconds: float = 10):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.PARTNER_TIMEOUT_SECONDS = settings.EMAIL_TIMEOUT = seconds
        with DrippingServer(word) as server:
            settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_SSL = "127.0.0.1", server.port, word == "TLS"
            return send_step(work("mail_sent_to_bpm", PAYLOAD, "mail"))

    return at_server


@pytest.mark.parametrize("word", [".", "greeting", "EHLO", "DATA", "TLS"])
@pytest.mark.whole
def test_a_server_that_drips_is_left_at_the_time_out(send, word):
    began = time.monotonic()
    outcome = send(word, seconds=1)
    took = time.monotonic() - began
    assert (outcome.result, outcome.code) == ("retry", "timeout")
    assert "longer than 1 s" in outcome.message
    # more than 1 s, because the machine may be busy; less than the ten seconds for which the server goes on
    assert 0.9 <= took < 8


def test_a_server_that_is_quick_gets_the_mail(send):
    assert send("never").result == "ok"


def test_a_mail_that_was_taken_before_the_time_was_up_is_not_sent_again(send):
    """The server is slow only at QUIT, when it already has the mail."""
    assert send("QUIT", seconds=1).result == "ok"
