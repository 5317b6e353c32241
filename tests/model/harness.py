"""Plays a desk with replacements for network, queue, threads and clock. Each sequence has an empty database.

Other tests (tests/flows, tests/partners, tests/worker) cover HTTP, envelopes, django-q2, threads, texts of mails and
xlsx files.
"""

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from unittest import mock

import time_machine
from django.conf import settings
from django.db import connection, transaction
from django.test import override_settings

from integrations.bigdata import reconciliation
from integrations.delivery import channels
from integrations.outbound import http_client
from integrations.partners.profile import read_profile
from notifications.sending import MailError
from orders.restore import detect_restore
from tests.conftest import shanghai
from tests.model.partner import Wire
from tests.model.world import Desk

BEGIN = shanghai("2023-09-20 18:54:36")
PLAYED = {
    "SUBSEQUENT_BILLING": "after_approval",
    "DISPATCH_RETRY_SECONDS": [30, 120, 600, 1800, 7200, 21600],
    "BREAKER_FAILURES": 8,
    "PARTNER_ANSWERS": "trust",
    "PARTNERS": read_profile(""),
}


class AtOnce:
    """An executor without threads that calls each function immediately."""

    def __init__(self, *ignored):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def submit(self, act, *args) -> Future:
        future = Future()
        future.set_result(act(*args))
        return future

    def shutdown(self, **ignored) -> None:
        """Does nothing."""


class Complaints(logging.Handler):
    """Collects log records of level ERROR. So an exception that is only logged counts as an error too."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "orders.restore.detect_restore":
            return  # this error is expected, because the sequence played a restore
        fault = record.exc_info[1] if record.exc_info else ""
        self.lines.append(f"{record.getMessage()}: {fault!r}")


class Stage:
    """Sets up the simulation for a process. `with Stage() as stage:` prepares the process.

    `with stage.play() as desk:` plays one sequence.
    """

    def __init__(self):
        self.wire, self.complaints = Wire(), Complaints()
        self.traveller = time_machine.travel(BEGIN, tick=False)

    def __enter__(self) -> "Stage":
        self.stack = contextlib.ExitStack()
        for patch in (
            mock.patch.object(http_client, "_exchange", self._exchange),
            mock.patch.object(reconciliation, "ThreadPoolExecutor", AtOnce),
            mock.patch.object(channels, "check_files", lambda **named: self.desk.look_at_files(**named)),
            mock.patch.object(channels, "send_mail", self._mail),
        ):
            self.stack.enter_context(patch)
        logging.getLogger("integrations").addHandler(self.complaints)
        logging.getLogger("orders").addHandler(self.complaints)
        self.stack.callback(logging.getLogger("integrations").removeHandler, self.complaints)
        self.stack.callback(logging.getLogger("orders").removeHandler, self.complaints)
        self.stack.enter_context(quiet_logs())
        return self

    def __exit__(self, *error) -> None:
        self.stack.close()

    def _exchange(self, request, timeout: float, most: int) -> tuple[int, dict, bytes]:
        """Carries out a call to a partner.

        Stores a copy of the partner's records first, because the call may change them.
        """
        self.desk.note_books()
        return self.wire.exchange(request, timeout, most)

    def _mail(self, work, until):
        """Simulates the sending of a mail. The next value of `mail_fates` decides how the mail server answers."""
        fate = self.desk.mail_fates.popleft() if self.desk.mail_fates else "ok"
        if fate != "ok":
            raise MailError("the mail server", permanent=fate == "refuse", code="smtp_550" if fate == "refuse" else "x")
        return {"result": "ok"}

    @contextlib.contextmanager
    def play(self) -> Iterator[Desk]:
        """Yields a desk without orders at a fixed time. Rolls all writes back at the end."""
        self.wire.reset()
        self.complaints.lines.clear()
        with self.traveller as clock, transaction.atomic(), contextlib.ExitStack() as stack:
            for name, value in PLAYED.items():
                stack.callback(setattr, settings, name, getattr(settings, name))
                setattr(settings, name, value)
            state_dir = stack.enter_context(tempfile.TemporaryDirectory(prefix="desk-model-"))
            files = Path(state_dir) / "attachments"  # contains the file of numbers that staff entered
            files.mkdir()
            stack.enter_context(override_settings(STATE_DIR=Path(state_dir), ATTACHMENT_DIR=files))
            detect_restore.read_restore_state()
            self.desk = Desk(clock, self.wire, self.complaints)
            try:
                with connection.execute_wrapper(self.desk.statements):
                    yield self.desk
            finally:
                transaction.set_rollback(True)


@contextlib.contextmanager
def quiet_logs() -> Iterator[None]:
    """Hides log records, because the sequences play refusals and broken connections."""
    root = logging.getLogger()
    kept = root.handlers[:]
    root.handlers[:] = []
    try:
        yield
    finally:
        root.handlers[:] = kept
