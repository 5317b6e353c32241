"""Code that only counts, notes or marks refuses no order. Each such part is broken on purpose while orders come in."""

import threading

import pytest
from django.db import ProgrammingError, connection
from django.utils import timezone

from integrations import tasks
from integrations.bboss import caller_limits
from integrations.worker import heartbeat
from orders.models import Dispatch, Order, OrderEvent
from orders.restore import detect_restore, mark_file
from tests.flows.contents import activation, change, trial

TABLES = {
    "heartbeat": ["integrations_heartbeat", "integrations_leaselock"],
    "search": ["orders_ordertext", "orders_textprogress"],
    "customers": ["orders_customer"],
}


def broken(*args, **kwargs):
    raise ProgrammingError("broken on purpose")


def post_some(desk) -> None:
    """Posts a trial, a change and an activation, and the trial again. All are accepted and kept."""
    contents = [trial("T1"), change("C1", DataFlow="2"), activation("A1")]
    for content in (*contents, contents[0]):
        desk.post(content)
    assert set(Order.objects.values_list("number", flat=True)) == {"T1", "C1", "A1"}


@pytest.mark.parametrize("what", TABLES)
def test_tables_that_only_note(desk, what):
    for table in TABLES[what]:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_gone")
    post_some(desk)


def test_the_rate(desk, settings, monkeypatch, caplog):
    settings.BBOSS_RATE = settings.BBOSS_UNSIGNED_RATE = "1/min"
    monkeypatch.setattr(caller_limits.Buckets, "spend", broken)
    post_some(desk)
    assert "was not counted" in caplog.text


@pytest.fixture
def mark_writer(monkeypatch, tmp_path, settings):
    settings.STATE_DIR = tmp_path / "state"
    monkeypatch.setattr(mark_file, "mark_writer", mark_file.MarkWriter())
    return mark_file.mark_writer


@pytest.mark.django_db(transaction=True)
class TestHighWaterMark:
    def test_a_machine_without_a_thread_to_give(self, desk, monkeypatch, mark_writer, caplog):
        detect_restore.read_restore_state()
        monkeypatch.setattr(detect_restore, "FRESH", -1.0)  # each order reads the restore state anew
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", self.no_thread)
            self.another_process_commits()
            post_some(desk)
        assert "can't be noted now" in caplog.text
        desk.post(trial("T2"))
        assert mark_writer.thread.is_alive()

    def test_a_folder_that_is_none(self, desk, settings, mark_writer):
        detect_restore.read_restore_state()
        settings.STATE_DIR.write_text("no folder")
        post_some(desk)
        mark_writer.flush()

    @staticmethod
    def another_process_commits() -> None:
        OrderEvent.objects.create(kind="note", actor="command:test", at=timezone.now())

    @staticmethod
    def no_thread(thread):
        raise RuntimeError("can't start new thread")


def test_a_heartbeat_that_fails_stops_no_delivery(desk, monkeypatch, caplog):
    desk.post(trial("T1"))
    monkeypatch.setattr(heartbeat, "last_seen", broken)
    tasks.drain()
    assert Order.objects.get(number="T1").state == "trialing"
    assert not Dispatch.objects.open().exists()
    assert "the heartbeat was not noted" in caplog.text


def test_an_index_that_fails_stops_no_delivery(desk, monkeypatch):
    desk.post(trial("T1"))
    monkeypatch.setattr(tasks, "index_orders", broken)
    tasks.drain()
    assert Order.objects.get(number="T1").state == "trialing"
