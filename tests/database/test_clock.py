"""One clock decides what is due: the database's clock, whatever the machine's clock shows (contract 3.9, 10)."""

import datetime
import types

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler

from integrations import tasks
from integrations.base import database_clock
from integrations.base.database_clock import MEASURE_EVERY, _Measured, measure
from integrations.delivery.channels import build_payloads
from integrations.models import Heartbeat
from integrations.worker.lease_lock import Lease
from integrations.worker.recurring_schedules import make_schedules
from orders.models import Attempt, Dispatch
from orders.outbox.enqueue import wake
from orders.sending.claim import claim
from tests import factories as make

WRONG = pytest.mark.parametrize("hours", [3, -2])
needs_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has this machine's clock")
SOON = datetime.timedelta(seconds=5)


@pytest.fixture(autouse=True)
def unmeasured(settings, monkeypatch):
    """Removes the measured values, as in a process that has just begun. Turns on the check of the clock."""
    settings.CLOCK_SKEW_SECONDS = 60
    for name, value in (("offset", None), ("at", float("-inf")), ("is_wrong", False)):
        monkeypatch.setattr(_Measured, name, value)


@pytest.fixture
def steady(monkeypatch):
    """Replaces the steady clock. `steady.shift(seconds)` moves it."""
    found = types.SimpleNamespace(time=1000.0)
    found.shift = lambda seconds: setattr(found, "time", found.time + seconds)
    monkeypatch.setattr(database_clock, "steady", lambda: found.time)
    return found


@pytest.fixture
def really(monkeypatch):
    """Returns a function for the true time. The function is right even if the test sets the machine's clock."""
    moment, since = datetime.datetime.now(datetime.UTC), database_clock.steady()
    return lambda: moment + datetime.timedelta(seconds=database_clock.steady() - since)


class Server:
    """Answers with its time, like a database.

    `takes` has the seconds that pass before and after it reads its clock.
    """

    def __init__(self, steady, at: float, takes=(0.0, 0.0)):
        self.steady, self.at, self.takes = steady, at - steady.time, takes

    def execute(self, statement):
        self.steady.shift(self.takes[0])
        answer = self.at + self.steady.time
        self.steady.shift(self.takes[1])
        return types.SimpleNamespace(fetchone=lambda: (answer,))


def test_ours_stands_in_djangos_place():
    assert timezone.now is database_clock.now
    assert Schedule._meta.get_field("next_run").default is timezone.now


@WRONG
def test_a_machine_of_a_wrong_clock_reads_the_databases_time(steady, hours):
    right = 1_800_000_000.0
    with time_machine.travel(right + hours * 3600, tick=False):
        assert timezone.now().timestamp() == right + hours * 3600  # nothing is measured yet
        assert measure(Server(steady, right)) == hours * 3600
        assert timezone.now().timestamp() == right
        steady.shift(7.5)
        assert timezone.now().timestamp() == right + 7.5
        assert timezone.localtime().timestamp() == right + 7.5


def test_a_step_of_the_clock_is_not_seen_at_all(steady):
    with time_machine.travel(1_800_000_000, tick=False) as machine:
        measure(Server(steady, 1_800_000_000))
        machine.shift(3 * 3600)
        assert timezone.now().timestamp() == 1_800_000_000
        machine.shift(-5 * 3600)
        assert timezone.now().timestamp() == 1_800_000_000


@pytest.mark.parametrize(("off", "kept"), [(0.0, 0.0), (0.3, 0.0), (-0.2, 0.0), (0.7, 0.4), (-0.9, -0.4)])
def test_what_a_slow_answer_does_not_refute_is_kept(steady, off, kept):
    """An answer that takes 0.8 s changes the measured offset only if it proves another offset.

    Times jump by no more than is proven, and mostly not at all.
    """
    with time_machine.travel(1_800_000_000.0, tick=False):
        measure(Server(steady, 1_800_000_000.0))
        offset = _Measured.offset
        measure(Server(steady, 1_800_000_000.0 + off, takes=(0.5, 0.3)))
    assert _Measured.offset - offset == pytest.approx(kept, abs=1e-6)


def test_without_the_check_the_own_clock_counts(steady, settings):
    measure(Server(steady, 1_800_000_000))
    settings.CLOCK_SKEW_SECONDS = 0
    with time_machine.travel(1_500_000_000, tick=False):
        assert timezone.now().timestamp() == 1_500_000_000
        assert not database_clock.is_measurement_due()


def test_the_log_says_once_that_it_is_wrong_and_once_that_it_is_right(steady, caplog):
    for ahead in (59, 61, 7000, 61, 0, 0):
        with time_machine.travel(1_800_000_000 + ahead, tick=False):
            measure(Server(steady, 1_800_000_000))
    assert [record.message for record in caplog.records] == [
        "this machine's clock is 61 s ahead of the database's, whose time counts",
        "this machine's clock agrees with the database's again",
    ]


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_process_measures_every_ten_seconds_and_in_no_broken_transaction(steady, monkeypatch):
    asked = []
    monkeypatch.setattr("project.database.postgresql.base.measure", lambda server: (asked.append(1), measure(server)))
    for seconds in (0, 1, MEASURE_EVERY, 0.5):
        steady.shift(seconds)
        Heartbeat.objects.count()
        Heartbeat.objects.count()
    assert len(asked) == 2
    steady.shift(MEASURE_EVERY + 1)
    with transaction.atomic():
        Heartbeat.objects.count()
        assert len(asked) == 3
        steady.shift(MEASURE_EVERY + 1)
        with connection.cursor() as cursor, pytest.raises(DatabaseError):
            cursor.execute("SELECT 1 / 0")
        assert len(asked) == 4
        steady.shift(MEASURE_EVERY + 1)
        with connection.cursor() as cursor, pytest.raises(DatabaseError, match="aborted"):
            cursor.execute("SELECT 1")
        transaction.set_rollback(True)
    assert len(asked) == 4
    steady.shift(MEASURE_EVERY + 1)
    connection.close_at = None  # otherwise a much-used connection would be closed
    connection.close_if_unusable_or_obsolete()
    connection.connection.answered_at = float("-inf")
    Heartbeat.objects.count()  # Django checks here whether the connection is alive
    assert len(asked) == 5


@needs_postgresql
@WRONG
@pytest.mark.django_db
def test_a_worker_of_a_wrong_clock_writes_and_compares_the_databases_time(really, monkeypatch, hours):
    """A worker whose clock is off by hours writes and compares the database's time.

    This process has the right clock.
    """
    monkeypatch.setattr("django_q.scheduler.close_old_django_connections", lambda: None)
    due = make.BpmDispatchFactory(state="due", next_try_at=really() - SOON, created_at=really())
    later = make.BpmDispatchFactory(state="due", next_try_at=really() + 60 * SOON, created_at=really())
    make_schedules()
    Schedule.objects.update(next_run=really() - SOON)
    with time_machine.travel(datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)):
        _Measured.offset, _Measured.at = None, float("-inf")
        Heartbeat.objects.count()  # the first statement measures the difference
        now = timezone.now()
        assert abs(now - really()) < SOON
        [work] = claim(
            build=build_payloads, rooms={"bpm": 5}, now=now, lease=datetime.timedelta(seconds=60), worker="off"
        )
        assert work.dispatch_id == due.pk
        tasks.ping("off")
        wake()
        assert Lease("linger").acquire()
        scheduler()
    later.refresh_from_db()
    assert later.state == Dispatch.State.DUE
    assert abs(Dispatch.objects.get(pk=due.pk).next_try_at - really() - 12 * SOON) < SOON
    assert abs(Attempt.objects.get().started_at - really()) < SOON
    assert abs(Heartbeat.objects.get().seen_at - really()) < SOON
    assert all(lock < really() + SOON for lock in OrmQ.objects.values_list("lock", flat=True))
    day = datetime.timedelta(days=1)
    for name, longest in (
        ("desk-sweep", 12 * SOON),
        ("desk-files", 60 * SOON),
        ("desk-tidy", day / 24),
        ("desk-usage", day),
    ):
        assert really() - SOON < Schedule.objects.get(name=name).next_run <= really() + longest + SOON
