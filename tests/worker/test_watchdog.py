"""The times at which a cluster is pinged, counts as dead and is started again, without real clusters (contract 3.9,
Alive)."""

import datetime
import socket
import sys
from unittest.mock import Mock

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from django_q.models import OrmQ

from integrations.models import Heartbeat
from integrations.worker import watchdog
from integrations.worker.heartbeat import beat, forget_dead, note_shutdown
from integrations.worker.watchdog import Watchdog
from orders.models import OrderEvent
from tests.factories import HeartbeatFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def one_transaction(monkeypatch):
    """Keeps the test's connection open."""
    monkeypatch.setattr(watchdog, "close_old_connections", lambda: None)


@pytest.fixture
def dog(clock):
    """Returns a watchdog with the times of production, 15 s and 60 s. The clock stands still between the pings."""
    found = Watchdog()
    found.guard_link, found.clusters_end = socket.socketpair()
    yield found
    found.guard_link.close()
    found.clusters_end.close()


def guard(dog) -> None:
    """The cluster's guard finishes a round, and the watchdog notes it."""
    dog.clusters_end.send(b".")
    dog.note_guard()


def take_pings(dog) -> None:
    """Acts as a cluster that takes its pings and never reports them as done."""
    OrmQ.objects.filter(key=dog.name).update(lock=timezone.now() + datetime.timedelta(minutes=3))


def test_a_cluster_that_answers_is_asked_for_ever(dog, clock):
    for _ in range(20):
        assert dog.ping_in_time() == ""
        clock.shift(15)
        OrmQ.objects.all().delete()
        beat(dog.name)
        guard(dog)


def test_a_guard_that_stands_still_is_noticed_though_a_worker_answers(dog, clock):
    said = []
    for _ in range(5):
        said.append(dog.ping_in_time())
        clock.shift(15)
        OrmQ.objects.all().delete()
        beat(dog.name)
        dog.note_guard()
    assert said == ["", "", "", "", "its guard stands still for 60 s"]


def test_one_that_does_not_is_replaced_after_a_minute(dog):
    assert [dog.ping_in_time() for _ in range(5)] == ["", "", "", "", "no answer for 60 s"]
    assert OrmQ.objects.filter(key=dog.name).count() == 1  # one ping that nobody took is enough


def test_any_task_carried_out_is_a_sign(dog, clock):
    for _ in range(3):
        dog.ping_in_time()
    clock.shift(45)
    beat(dog.name)
    guard(dog)
    assert [dog.ping_in_time() for _ in range(5)] == ["", "", "", "", "no answer for 60 s"]


def test_a_ping_that_was_taken_and_lost_is_sent_again(dog):
    dog.ping_in_time()
    take_pings(dog)
    dog.ping_in_time()
    assert OrmQ.objects.filter(key=dog.name).count() == 2


def test_signs_of_life_without_results_are_not_believed_for_ever(dog, clock):
    answers = []
    for _ in range(13):
        answers.append(dog.ping_in_time())
        take_pings(dog)
        clock.shift(15)
        beat(dog.name)
        guard(dog)
    assert answers[:12] == [""] * 12
    assert answers[12] == "it carries out tasks, but notes no results"


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_is_away_is_nobodys_fault(dog, monkeypatch, error):
    for _ in range(4):
        dog.ping_in_time()
    with monkeypatch.context() as patch:
        patch.setattr(watchdog, "last_seen", Mock(side_effect=error("gone")))
        assert dog.ping_in_time() == ""
    assert [dog.ping_in_time() for _ in range(5)] == ["", "", "", "", "no answer for 60 s"]


def test_one_that_ends_again_and_again_is_started_ever_more_seldom(monkeypatch):
    dog, waits = Watchdog(), []
    HeartbeatFactory(cluster=dog.name)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr(dog.stopping, "wait", lambda seconds: waits.append(seconds))
    dog.start()
    for _ in range(8):
        dog.process.wait()
        dog.check()
    dog.stop()
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    events = OrderEvent.objects.filter(kind="cluster_replaced", actor="watchdog")
    assert events.first().data == {"cluster": dog.name, "why": "it ended with code 1"}
    assert events.count() == 8
    assert Heartbeat.objects.get().has_ended


def test_one_that_ends_in_order_counts_as_alive_for_two_minutes(dog, clock, client):
    """A cluster that ended in order (a planned stop, a reload, an upgrade) counts as alive for two minutes, so it
    causes no alarm. A cluster that was silent before still counts as silent."""
    beat(dog.name)
    HeartbeatFactory(cluster="silent", started_at=timezone.now() - datetime.timedelta(hours=1))
    clock.shift(119)
    Heartbeat.objects.filter(cluster="silent").update(seen_at=timezone.now() - datetime.timedelta(seconds=121))
    dog.stop()
    note_shutdown("silent")
    clock.shift(119)
    assert client.get("/readyz").status_code == 200
    clock.shift(1)
    assert client.get("/readyz").json()["reasons"] == ["no worker gave a sign of life within 2 minutes"]
    clock.shift(1)
    forget_dead(now=timezone.now())
    # the silent cluster's heartbeat is kept, because the reason of its stop is unknown
    assert [row.cluster for row in Heartbeat.objects.all()] == ["silent"]


def test_a_stop_while_it_waits_starts_nothing(monkeypatch):
    dog = Watchdog()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    dog.start()
    dog.process.wait()
    dog.stopping.set()
    dog.check()
    assert dog.process is None
    dog.stop()
