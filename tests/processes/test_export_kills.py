"""A worker that is killed while it writes an export: it is written again from nothing, once. A minute: `-m kills`."""

import openpyxl
import pytest

from tests.harness.proc import kill
from tests.processes.conftest import QUICK

pytestmark = pytest.mark.kills
ROWS = 100_000  # enough that the worker still writes when it is killed, on a quick machine too
BEGIN = f"""
from django.utils import timezone
from orders.models import InboundMessage
from orders.office.exports.service import begin_export
from orders.office.jobs import queue
from project.models import User
User.objects.create_superuser("keeper")
now = timezone.now()
InboundMessage.objects.bulk_create(
    [InboundMessage(received_at=now, trans_ido=f"X{{n:06d}}", http_status=200, rsp_code="00000", rsp_desc="Success",
                    trans_idh="1", body="") for n in range({ROWS})], batch_size=1000)
queue(begin_export(by="staff:keeper", list_name="inbound", query="q=X", columns=["trans_ido", "received"],
                          format="xlsx", personal=False, reason="", scope=None, now=now))
"""


def test_an_export_goes_on_after_a_kill(desk):
    desk.manage("shell", "-c", BEGIN)
    desk.start_worker(**QUICK)
    before = desk.cluster()
    desk.until(lambda: desk.rows("SELECT id FROM orders_export WHERE state = 'running'"), seconds=60, every=0.1)
    kill(*before.of("all"))
    assert desk.rows("SELECT state, attempts FROM orders_export") == [("running", 1)]
    desk.until(lambda: desk.rows("SELECT id FROM orders_export WHERE state = 'done'"), seconds=200)
    [(file, written, attempts)] = desk.rows("SELECT file, written, attempts FROM orders_export")
    folder = desk.folder / "exports"
    assert (written, attempts) == (ROWS, 2)
    assert [path.name for path in folder.iterdir()] == [file]
    numbers = [
        row[0] for row in openpyxl.load_workbook(folder / file, read_only=True).active.iter_rows(values_only=True)
    ]
    assert sorted(numbers[1:]) == [f"X{n:06d}" for n in range(ROWS)]
