"""A real SMTP server in this process, which stores the accepted mails."""

import email
import email.policy
from email.message import EmailMessage
from typing import Self

from aiosmtpd.controller import Controller

from tests.harness.ports import free_port


class SmtpServer:
    """`with SmtpServer() as server:` listens on `server.port`. `got` has (recipients, message) of each accepted mail.

    `answers` are the responses to the next DATA commands. After these the response is 250. `refuses` has error
    responses by recipient or by command (`RCPT`, `DATA`). `at_first` is called after the first mail has arrived and
    before the server confirms it.
    """

    def __init__(self, port: int = 0):
        self.port, self.controller = port or free_port(), None
        self.got: list[tuple[list[str], EmailMessage]] = []
        self.answers: list[str] = []
        self.refuses: dict[str, str] = {}
        self.at_first = lambda: None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    def stop(self) -> None:
        if self.controller:
            self.controller.stop()
            self.controller = None

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:  # noqa: N802  aiosmtpd's name
        if refusal := self.refuses.get(address) or self.refuses.get("RCPT"):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802  aiosmtpd's name
        answer = self.refuses.get("DATA") or (self.answers.pop(0) if self.answers else "250 OK")
        if answer.startswith("250"):
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            self.got.append((envelope.rcpt_tos, message))
            if len(self.got) == 1:
                self.at_first()
        return answer
