"""Files are checked again while somebody acts on their order. The code must lock orders first, and then steps."""

import threading
import time

import pytest
from django.db import connection, transaction
from django.utils import timezone

from orders.attachments.files_hold import recheck_files, waive_files
from orders.history.order_locks_and_events import lock_order
from orders.models import Dispatch
from tests.processes.orders import activation, trial
from tests.races.conftest import LIMIT, at_once

pytestmark = pytest.mark.django_db(transaction=True)


def held(desk, *numbers: int) -> None:
    """Sends activations whose files nobody has put into the folder. Asserts that they are held."""
    for n in numbers:
        named = f"100A{n:04d}_50004020027_20230920170126.xlsx"
        desk.accept(trial(n), activation(n, InfoSecurity=named))
    desk.deliver()
    assert {desk.state(f"100A{n:04d}") for n in numbers} == {"held"}


def test_looking_again_waits_for_who_has_the_order_and_then_passes_it_over(desk):
    """Staff waive the files of an order at the moment of another check. This check waits, and then skips the order.

    The check that is done stays done, and does not count as checked again.
    """
    held(desk, 1)
    found: list[list[str]] = []

    def look() -> None:
        try:
            found.append(recheck_files(numbers=None, now=timezone.now()))
        finally:
            connection.close()

    looking = threading.Thread(target=look)
    with transaction.atomic():
        lock_order("100A0001")
        looking.start()
        time.sleep(0.5)
        assert looking.is_alive()
        waive_files(number="100A0001", reason="checked by mail", by="staff:x", now=timezone.now())
    looking.join(LIMIT)
    assert found == [[]]
    check = Dispatch.objects.get(step="check_files")
    assert (check.state, check.next_try_at) == ("done", None)
    desk.deliver()
    assert desk.state("100A0001") == "active"


def test_looking_again_and_looking_in_a_ring(desk):
    """Two threads check files again, while two workers check the same files. Nobody waits forever."""
    held(desk, *range(1, 9))

    def look() -> None:
        for _ in range(10):
            recheck_files(numbers=None, now=timezone.now())

    at_once(look, look, desk.deliver, desk.deliver)
    recheck_files(numbers=None, now=timezone.now())
    desk.deliver()
    checks = Dispatch.objects.filter(step="check_files")
    assert set(checks.values_list("state", flat=True)) == {"retrying"}
