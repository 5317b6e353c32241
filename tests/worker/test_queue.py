"""The queue's broker: pings, requests to deliver at once (wake-ups), and a database that is unavailable."""

import datetime
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import Failure, OrmQ
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from integrations import tasks
from integrations.models import Heartbeat
from integrations.worker import broker as queue
from integrations.worker.broker import APART_KEY, DeskBroker
from integrations.worker.heartbeat import FORGOTTEN_AFTER, last_seen
from integrations.worker.lease_lock import Lease
from integrations.worker.recurring_schedules import RECURRING, make_schedules
from notifications.models import Mail
from orders.outbox.enqueue import WAKE_KEY, wake
from tests.factories import HeartbeatFactory, MailFactory
from tests.worker.periodic import replace_parts

pytestmark = pytest.mark.django_db


@pytest.fixture
def broker(monkeypatch):
    monkeypatch.setenv("DESK_CLUSTER", "mine")
    monkeypatch.setitem(settings.Q_CLUSTER, "poll", 0)
    return get_broker()


def taken(broker) -> str | None:
    """Returns the function of the next task, or None if there is no task."""
    found = broker.dequeue()
    return SignedPackage.loads(found[0][1])["func"].rpartition(".")[2] if found else None


def test_pings_of_this_cluster_come_first_and_others_not_at_all(broker):
    async_task("integrations.tasks.sweep")
    async_task("integrations.tasks.ping", "other", broker=DeskBroker(list_key="other"))
    async_task("integrations.tasks.ping", "mine", broker=DeskBroker(list_key="mine"))
    assert [taken(broker) for _ in range(3)] == ["ping", "sweep", None]


def test_a_part_with_a_task_of_its_own_is_taken_like_others(broker):
    async_task("integrations.tasks.tell_robots", cluster=APART_KEY)
    async_task("integrations.tasks.sweep")
    assert [taken(broker) for _ in range(3)] == ["tell_robots", "sweep", None]


def test_a_crowd_of_wake_ups_is_two_drains(broker):
    """Many requests to deliver at once (wake-ups) become two deliveries: one for any worker and one for another
    worker. Other tasks stay."""
    for _ in range(50):
        wake()
    wake(settle=True)
    async_task("integrations.tasks.sweep")
    assert [taken(broker) for _ in range(5)] == ["drain", "drain", "drain", "sweep", None]
    assert OrmQ.objects.filter(key=WAKE_KEY).count() == 2


def test_a_wake_up_that_comes_later_is_kept(broker):
    wake()
    assert taken(broker) == "drain"
    wake()
    assert taken(broker) == "drain"


def test_a_taken_task_is_acknowledged_by_its_receipt(broker):
    wake()
    ((receipt, _),) = broker.dequeue()
    assert broker.dequeue() is None
    broker.acknowledge(receipt)
    assert not OrmQ.objects.exists()


def test_a_database_that_is_away_is_noted_once_and_waited_for(broker, monkeypatch, caplog):
    away = Mock(side_effect=OperationalError("gone"))
    monkeypatch.setattr(queue, "RETRY_SECONDS", 0)
    monkeypatch.setattr(queue, "connection", SimpleNamespace(close=lambda: None))
    wake()
    with monkeypatch.context() as patch:
        patch.setattr(DeskBroker, "get_connection", away)
        assert [broker.dequeue() for _ in range(3)] == [None, None, None]
        broker.acknowledge(1)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "the database does not answer the queue: gone"
    ]
    assert taken(broker) == "drain"


def test_a_command_removes_what_dead_clusters_left(clock):
    """The command removes heartbeats and tasks of dead clusters. One cluster was killed before it answered its first
    ping, so it has no heartbeat."""
    HeartbeatFactory(cluster="killed", seen_at=timezone.now() - datetime.timedelta(seconds=121))
    HeartbeatFactory(cluster="living", seen_at=timezone.now() - datetime.timedelta(seconds=119))
    for name in ("killed", "never-seen", "living"):
        async_task("integrations.tasks.ping", name, broker=DeskBroker(list_key=name))
    async_task("integrations.tasks.sweep")
    wake()
    OrmQ.objects.update(lock=timezone.now() - datetime.timedelta(seconds=121))
    call_command("setup_schedules")
    assert list(Heartbeat.objects.values_list("cluster", flat=True)) == ["living"]
    kept = ["living", settings.Q_CLUSTER["name"], WAKE_KEY]
    assert list(OrmQ.objects.order_by("pk").values_list("key", flat=True)) == kept


def test_a_crowd_of_arrived_trials_is_settled_at_once(broker):
    """Many trials arrive faster than they could be settled one by one, so they are settled together. Otherwise other
    tasks would wait behind them."""
    for _ in range(50):
        wake(settle=True)
    async_task("integrations.tasks.sweep")
    assert [taken(broker) for _ in range(4)] == ["drain", "drain", "sweep", None]


def test_dead_clusters_and_old_failures_are_forgotten(clock):
    HeartbeatFactory(cluster="dead", seen_at=timezone.now() - FORGOTTEN_AFTER - datetime.timedelta(seconds=1))
    HeartbeatFactory(cluster="living", seen_at=timezone.now() - datetime.timedelta(hours=23))
    for name in ("dead", "living"):
        async_task("integrations.tasks.ping", name, broker=DeskBroker(list_key=name))
    OrmQ.objects.update(lock=timezone.now() - FORGOTTEN_AFTER - datetime.timedelta(seconds=1))
    for days in (1, 31):
        stopped = timezone.now() - datetime.timedelta(days=days)
        Failure.objects.create(id=f"{days}", name="x", func="x", started=stopped, stopped=stopped, success=False)
    assert tasks.tidy().startswith("1 dead clusters, 1 old failures, 0 workbooks, ")
    assert list(Heartbeat.objects.values_list("cluster", flat=True)) == ["living"]
    assert list(OrmQ.objects.values_list("key", flat=True)) == ["living"]


def test_a_ping_is_always_noted_and_other_signs_now_and_then(clock):
    tasks.ping("mine")
    clock.shift(1)
    tasks.ping("mine")
    assert last_seen("mine") == timezone.now()


def test_the_schedules_are_made_once():
    assert set(make_schedules()) == set(RECURRING)
    assert make_schedules() == []


def test_a_lease_is_one_holders_until_it_lapses(clock):
    mine, other = Lease("linger"), Lease("linger")
    assert other.is_free()
    assert mine.acquire()
    assert mine.is_free()
    assert not other.is_free()
    assert not other.acquire()
    clock.shift(6)
    assert other.is_free()
    assert other.acquire()
    other.give_back()
    assert mine.acquire()


def test_what_the_sweep_cannot_cope_with_keeps_nothing_from_being_delivered(monkeypatch, caplog):
    def broken(*, now):
        raise ValueError("an order that nobody foresaw")

    replace_parts(monkeypatch, end_trials=broken)
    monkeypatch.setattr(tasks, "drain", lambda: delivered.append(True))
    delivered = []
    with pytest.raises(ValueError, match="nobody foresaw"):  # the error goes on, so that `status` shows it
        tasks.sweep()
    assert delivered
    assert "the sweep's broken failed" in caplog.text


def test_each_part_of_a_sweep_runs_and_each_error_is_said(monkeypatch):
    def broken(error):
        def part(*, now=None):
            raise error

        return part

    stand_ins = {"end_trials": broken(ValueError("a trial\nLINE 1")), "watch_clocks": broken(ValueError("a clock"))}
    replace_parts(monkeypatch, **stand_ins)
    monkeypatch.setattr(tasks, "drain", broken(KeyError("a step")))
    indexed = []
    monkeypatch.setattr(tasks, "index_search", lambda seconds, **how: indexed.append(seconds))
    with pytest.raises(ExceptionGroup, match="^a trial; a clock; 'a step'$") as found:
        tasks.sweep()
    assert [type(error) for error in found.value.exceptions] == [ValueError, ValueError, KeyError]
    assert indexed


def test_what_tidying_cannot_cope_with_keeps_no_other_part_from_running(monkeypatch, clock, caplog):
    def broken(*, now):
        raise ValueError("a folder")

    replace_parts(monkeypatch, forget_dead=broken, remove_parts=broken)
    old = timezone.now() - datetime.timedelta(days=181)
    MailFactory(order=None, written_at=old)
    Failure.objects.create(id="1", name="x", func="x", started=old, stopped=old, success=False)
    with pytest.raises(ExceptionGroup, match="^a folder; a folder$"):
        tasks.tidy()
    assert not Mail.objects.exists()
    assert not Failure.objects.exists()
    assert caplog.text.count("tidy's broken failed") == 2
