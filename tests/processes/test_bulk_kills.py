"""A worker that is killed in the middle of a bulk run: it goes on, and nothing is done twice. A minute: `-m kills`."""

import pytest

from tests.harness.proc import kill
from tests.processes.conftest import QUICK

pytestmark = pytest.mark.kills
ROWS = 3000
BEGIN = f"""
from django.utils import timezone
from orders.models import Order
from orders.office.bulk.service import begin_draft, confirm_draft
from orders.office.jobs import queue
from project.models import User
User.objects.create_superuser("bulk-keeper")
now = timezone.now()
Order.objects.bulk_create(
    [Order(number=f"BULK{{n:06d}}", kind="trial", state="trialing", content={{}}, content_hash="x", trans_idh="1",
           received_at=now, planned_at=now) for n in range({ROWS})], batch_size=1000)
ids = list(Order.objects.filter(number__startswith="BULK").order_by("pk").values_list("pk", flat=True))
draft = begin_draft(by="staff:bulk-keeper", act="note", targets=ids, query="q=BULK", words=[], details={{}}, now=now)
queue(confirm_draft(pk=draft.pk, by="staff:bulk-keeper", act="note", details={{}}, reason="noted in bulk", now=now))
"""
NOTES = "SELECT COUNT(*), COUNT(DISTINCT order_id) FROM orders_orderevent WHERE kind = 'note'"


def test_a_run_goes_on_after_a_kill_and_does_nothing_twice(desk):
    desk.manage("shell", "-c", BEGIN)
    desk.start_worker(**QUICK)
    before = desk.cluster()
    begun = "SELECT id FROM orders_bulkrun WHERE state = 'running' AND done > 100"
    desk.until(lambda: desk.rows(begun), seconds=60, every=0.1)
    kill(*before.of("all"))
    [(done,)] = desk.rows("SELECT done FROM orders_bulkrun")
    assert done < ROWS
    desk.until(lambda: desk.rows("SELECT id FROM orders_bulkrun WHERE state = 'done'"), seconds=300)
    assert desk.rows("SELECT done, failed FROM orders_bulkrun") == [(ROWS, 0)]
    assert desk.rows(NOTES) == [(ROWS, ROWS)]
    assert desk.rows("SELECT COUNT(*) FROM orders_bulkitem WHERE state <> 'done'") == [(0,)]
