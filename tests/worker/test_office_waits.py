"""While steps are due, a worker carries them out first. Work that only people wait for comes later, but not much
later."""

import time
from types import SimpleNamespace

import pytest
from django.utils import timezone

from integrations import tasks
from integrations.delivery.loop import DrainReport
from orders.models import Dispatch
from orders.pauses.pause_and_resume import pause_partner
from orders.search import index as search_index
from tests import factories as make
from tests.worker.periodic import replace_parts

pytestmark = pytest.mark.django_db
OFFICE = ["begin_due_exports", "resume_exports", "resume_runs", "write_digests", "write_red", "let_go_owners"]


@pytest.fixture
def ran(monkeypatch):
    """Returns a list of the parts of the office work that have run."""
    found: list[str] = []

    def stand_in(name: str):
        return lambda *args, **how: found.append(name)

    replace_parts(monkeypatch, **{name: stand_in(name) for name in OFFICE})
    monkeypatch.setattr(tasks, "index_search", stand_in("index_search"))
    monkeypatch.setattr(tasks._Office, "put_off", None)
    return found


def come_due(clock) -> Dispatch:
    """A second later, a step becomes due that no worker has claimed yet."""
    clock.shift(1)
    return make.DispatchFactory(state=Dispatch.State.DUE, channel="billing", next_try_at=timezone.now())


@pytest.fixture
def busy(monkeypatch, clock):
    """A step becomes due while the sweep delivers."""
    monkeypatch.setattr(tasks, "drain", lambda: str(come_due(clock)))


def test_after_a_sweep_without_work_each_part_has_its_turn(ran, monkeypatch):
    monkeypatch.setattr(tasks, "drain", lambda: "nothing")
    assert tasks.sweep() == "nothing"
    assert ran == [*OFFICE, "index_search"]


def test_no_part_runs_while_steps_come_due(ran, busy):
    tasks.sweep()
    assert ran == []


def test_what_a_paused_partner_is_not_sent_holds_up_nobody(ran, busy, clock):
    pause_partner(partner="bigdata", now=timezone.now(), until=None, reason="upgrade", by="command:test")
    tasks.sweep()
    assert ran == [*OFFICE, "index_search"]


def test_after_five_minutes_the_parts_run_whatever_is_due(ran, busy, monkeypatch):
    began = time.monotonic()
    for seconds in (0, 60, 299, 301, 361, 599):
        monkeypatch.setattr(tasks, "time", SimpleNamespace(monotonic=lambda at=began + seconds: at))
        tasks.sweep()
        assert (ran == [*OFFICE, "index_search"]) is (seconds >= 301)


def test_a_drain_that_leaves_steps_indexes_nothing(ran, monkeypatch):
    for again in (True, False):
        monkeypatch.setattr(tasks, "run_drain", lambda again=again: DrainReport(again=again))
        tasks.drain()
    assert ran == ["index_search"]


def test_indexing_ends_when_a_step_comes_due(monkeypatch, clock):
    make.OrderFactory.create_batch(3)
    monkeypatch.setattr(search_index, "ORDERS_A_TRANSACTION", 1)
    real = search_index._index

    def index(rows):
        done = real(rows)
        if done and not Dispatch.objects.exists():
            come_due(clock)
        return done

    monkeypatch.setattr(search_index, "_index", index)
    assert tasks.index_search(60) == 1
    assert tasks.index_search(60) == 3  # the order of the step that came due is one of the three
