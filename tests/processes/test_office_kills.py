"""Kills a worker during a bulk run, an export and a scheduled export. Each continues, and is done once.

Takes minutes: `-m kills`.
"""

import openpyxl
import pytest

from tests.harness.desk import ProcessDesk
from tests.harness.proc import kill
from tests.harness.smtp import SmtpServer
from tests.processes.conftest import QUICK, SHORT

pytestmark = pytest.mark.kills
NOTED = 800
BULK = f"""
from django.utils import timezone
from orders.models import Order
from orders.office.bulk.bulk_runs import begin_draft, confirm_draft
from orders.office.jobs import queue
from project.models import User
User.objects.create_superuser("bulk-keeper")
now = timezone.now()
Order.objects.bulk_create(
    [Order(number=f"BULK{{n:06d}}", kind="trial", state="trialing", content={{}}, content_hash="x", trans_idh="1",
           received_at=now, planned_at=now) for n in range({NOTED})], batch_size=1000)
ids = list(Order.objects.filter(number__startswith="BULK").order_by("pk").values_list("pk", flat=True))
draft = begin_draft(by="staff:bulk-keeper", act="note", targets=ids, query="q=BULK", words=[], details={{}}, now=now)
queue(confirm_draft(pk=draft.pk, by="staff:bulk-keeper", act="note", details={{}}, reason="noted in bulk", now=now))
"""
NOTES = "SELECT COUNT(*), COUNT(DISTINCT order_id) FROM orders_orderevent WHERE kind = 'note'"
EXPORTED = 30_000  # so many that the worker is still writing when it is killed, even on a quick machine
EXPORT = f"""
from django.utils import timezone
from orders.models import InboundMessage
from orders.office.exports.export_jobs import begin_export
from orders.office.jobs import queue
from project.models import User
User.objects.create_superuser("keeper")
now = timezone.now()
InboundMessage.objects.bulk_create(
    [InboundMessage(received_at=now, trans_ido=f"X{{n:06d}}", http_status=200, rsp_code="00000", rsp_desc="Success",
                    trans_idh="1", body="") for n in range({EXPORTED})], batch_size=1000)
queue(begin_export(by="staff:keeper", list_name="inbound", query="q=X", columns=["trans_ido", "received"],
                          format="xlsx", personal=False, reason="", scope=None, now=now))
"""
SCHEDULE = """
import datetime
from django.utils import timezone
from orders.office.saved_views.models import SavedView
from orders.office.exports.models import ScheduledExport
from project.models import User
now = timezone.now()
keeper = User.objects.create_superuser("keeper", "keeper@example.com")
view = SavedView.objects.create(owner=keeper, list_name="orders", name="x", columns=["number"], created_at=now)
row = ScheduledExport.objects.create(owner=keeper, view=view, name="x", weekdays="1234567", at=datetime.time(8),
                                     format="csv", created_at=now, next_run_at=now)
row.recipients.add(keeper)
"""


def test_a_run_goes_on_after_a_kill_and_does_nothing_twice(desk):
    desk.manage("shell", "-c", BULK)
    desk.start_worker(**QUICK)
    before = desk.cluster()
    begun = "SELECT id FROM orders_bulkrun WHERE state = 'running' AND done > 100"
    desk.until(lambda: desk.rows(begun), seconds=60, every=0.1)
    kill(*before.of("all"))
    [(done,)] = desk.rows("SELECT done FROM orders_bulkrun")
    assert done < NOTED
    desk.until(lambda: desk.rows("SELECT id FROM orders_bulkrun WHERE state = 'done'"), seconds=300)
    assert desk.rows("SELECT done, failed FROM orders_bulkrun") == [(NOTED, 0)]
    assert desk.rows(NOTES) == [(NOTED, NOTED)]
    assert desk.rows("SELECT COUNT(*) FROM orders_bulkitem WHERE state <> 'done'") == [(0,)]


def test_an_export_goes_on_after_a_kill(desk):
    """After the kill, the export is written again from the beginning, and only once."""
    desk.manage("shell", "-c", EXPORT)
    desk.start_worker(**QUICK)
    before = desk.cluster()
    desk.until(lambda: desk.rows("SELECT id FROM orders_export WHERE state = 'running'"), seconds=60, every=0.1)
    kill(*before.of("all"))
    assert desk.rows("SELECT state, attempts FROM orders_export") == [("running", 1)]
    desk.until(lambda: desk.rows("SELECT id FROM orders_export WHERE state = 'done'"), seconds=200)
    [(file, written, attempts)] = desk.rows("SELECT file, written, attempts FROM orders_export")
    folder = desk.folder / "exports"
    assert (written, attempts) == (EXPORTED, 2)
    assert [path.name for path in folder.iterdir()] == [file]
    numbers = [
        row[0] for row in openpyxl.load_workbook(folder / file, read_only=True).active.iter_rows(values_only=True)
    ]
    assert sorted(numbers[1:]) == [f"X{n:06d}" for n in range(EXPORTED)]


def test_a_slot_gives_one_file_and_one_message(tmp_path, postgres):
    """The worker is killed after a mail was sent and before this was recorded.

    The mail may be sent again, with the same Message-ID. There is only one file.
    """
    with (
        SmtpServer() as smtp,
        ProcessDesk(tmp_path, postgres=postgres, **SHORT, EMAIL_URL=f"smtp://127.0.0.1:{smtp.port}") as desk,
    ):
        smtp.at_first = lambda: kill(*desk.cluster().of("all"))
        desk.manage("shell", "-c", SCHEDULE)
        desk.start_worker(**QUICK)
        desk.until(lambda: smtp.got, seconds=120)
        [(state, attempts)] = desk.rows("SELECT state, attempts FROM notifications_mail")
        assert (state, attempts) == ("sending", 1)
        desk.until(lambda: desk.rows("SELECT id FROM notifications_mail WHERE state = 'done'"), seconds=200)
        assert len(smtp.got) == 2
        assert len({message["Message-ID"] for _, message in smtp.got}) == 1
        assert desk.rows("SELECT state FROM orders_export") == [("done",)]
        assert len(list((tmp_path / "exports").iterdir())) == 1
