"""Fixtures and functions for many callers at the same time: BBOSS's endpoint, workers and staff.

Each caller has a thread and a database connection.
"""

import contextlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from integrations.delivery.loop import drain
from orders.intake.replan_held_orders import settle_arrived
from orders.models import Attempt, Order
from tests.bboss_messages import accepted, post_order
from tests.bpm_messages import approval, post_signed

LIMIT = 120  # seconds; generous, since the machine may be slow


def at_once(*acts: Callable) -> list:
    """Starts all acts at the same time, each in a thread. Returns their results. Raises the first exception."""
    barrier = threading.Barrier(len(acts))
    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result(LIMIT) for future in [pool.submit(_run, act, barrier) for act in acts]]


@contextlib.contextmanager
def meanwhile(act: Callable):
    """`with meanwhile(act):` runs the act in a thread during the block, and waits for it at the end."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(_run, act, threading.Barrier(1))
        yield
        future.result(LIMIT)


def _run(act: Callable, barrier: threading.Barrier):
    try:
        barrier.wait(LIMIT)
        return act()
    finally:
        connection.close()


class Desk:
    """A desk that posts messages, delivers steps and reads results. Every method may be called from any thread."""

    def __init__(self, sandbox):
        self.sandbox = sandbox

    def post(self, content: dict, **more) -> dict:
        return post_order(Client(), content, **more)

    def accept(self, *contents: dict) -> None:
        for content in contents:
            reply = self.post(content)
            assert accepted(reply), reply

    def deliver(self) -> None:
        """Does a worker's work: plans held orders that may go on, and sends everything due until nothing is left."""
        settle_arrived(now=timezone.now())
        drain(seconds=None, linger=False)

    def approve(self, number: str, result: str, record: str = "bpm-1-1"):
        members = approval(number, recordId=record, result=result, finished=True)
        return post_signed(Client(), json.dumps(members).encode())

    def state(self, number: str) -> str:
        return Order.objects.get(number=number).state

    def sent(self, path: str) -> list[dict]:
        return [call["body"] for call in self.sandbox.calls(path=path)]

    def each_was_sent_once(self) -> None:
        """Asserts that each step had one successful attempt, and that each key was used for one call."""
        assert self.sandbox.state()["violations"] == []
        keys = [call["key"] for call in self.sandbox.calls()]
        assert len(keys) == len(set(keys))
        assert not Attempt.objects.filter(number__gt=1).exists()
        assert not Attempt.objects.exclude(outcome="ok").exists()


@pytest.fixture
def desk(sandbox, transactional_db, settings, tmp_path, caplog):
    """Yields a desk.

    At the end, asserts that the log has no deadlock and no lock time-out, even if the code recovered.
    """
    settings.ATTACHMENT_DIR = tmp_path
    yield Desk(sandbox)
    assert "deadlock" not in caplog.text
    assert "database is locked" not in caplog.text
    assert "the database failed" not in caplog.text
