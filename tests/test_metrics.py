"""`/metrics` shows what all processes of a machine have counted, and gauges from the database. Also, who may read
it.
"""

import contextlib
import datetime
import errno
import os
import signal
import uuid
from unittest.mock import Mock

import pytest
from django.db import connection
from django.urls import get_resolver
from django.utils import timezone

from integrations.base import counters
from orders.models import Dispatch, Incident, Order
from orders.rules.steps import Step
from project.observability import gauges
from tests import factories
from tests.bboss_messages import post_order

pytestmark = pytest.mark.usefixtures("fresh_gauges")


def figures() -> dict[str, float]:
    """Returns the samples of /metrics by name and labels."""
    text = gauges.exposition().decode()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#"]
    return {name: float(value) for name, value in lines}


@contextlib.contextmanager
def counted():
    """Yields a dict that is filled at the end of the block: {sample: by how much it rose inside}."""
    before, rose = figures(), {}
    yield rose
    rose.update({name: value - before.get(name, 0) for name, value in figures().items()})


@pytest.fixture
def own_folder(monkeypatch, tmp_path):
    """Uses an empty folder, as on a machine on which nothing has been counted yet."""
    monkeypatch.setattr(counters, "FOLDER", tmp_path)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    # another user id changes the names of the files, so that the library opens new ones
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    return tmp_path


def in_a_process(act, *, end=signal.SIGKILL) -> None:
    """Calls `act` in a child process, and kills the child at once by the signal `end`."""
    if child := os.fork():
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == end
        return
    try:
        act()
    finally:
        os.kill(os.getpid(), end)


# --- What is counted


def test_calls_of_others(client, clock, db, case):
    """BBOSS's calls are counted by the code that they were answered, accepted, refused and unreadable ones alike.
    Other calls are counted by HTTP status.
    """
    with counted() as rose:
        post_order(client, case(1)["content"])
        post_order(client, {"OrderNum": "100A1"})
        client.post("/api/bboss/orders", b"{", content_type="application/json")
        client.post("/api/bpm/approvals", b"{}", content_type="application/json")
        client.get("/api/orders/")
    assert rose['desk_inbound_total{code="00000",source="bboss"}'] == 1
    assert rose['desk_inbound_total{code="20505",source="bboss"}'] == 1
    assert rose['desk_inbound_total{code="20105",source="bboss"}'] == 1
    assert rose['desk_inbound_total{code="401",source="bpm"}'] == 1
    assert rose['desk_inbound_total{code="401",source="api"}'] == 1
    assert rose['desk_inbound_seconds_count{source="bboss"}'] == 3
    assert rose['desk_inbound_seconds_bucket{le="+Inf",source="bboss"}'] == 3
    assert rose['desk_inbound_seconds_sum{source="bboss"}'] > 0


def test_pages_by_their_views_and_log_ins(client, db, django_user_model):
    django_user_model.objects.create_superuser("root", password="right-password-1")
    with counted() as rose:
        client.get("/admin/login/")
        client.get(f"/{uuid.uuid4()}/")
        client.get("/livez")
        client.post("/admin/login/", {"username": "root", "password": "wrong"})
        client.post("/admin/login/", {"username": "root", "password": "right-password-1"})
    assert rose['desk_pages_seconds_count{page="admin:login"}'] == 3
    assert rose['desk_pages_seconds_count{page="other"}'] == 1
    assert not [name for name in rose if "livez" in name]
    assert rose['desk_logins_total{outcome="refused",way="password"}'] == 1
    assert rose['desk_logins_total{outcome="let_in",way="password"}'] == 1


def test_errors_of_the_database_and_gauges_without_one(client, db, monkeypatch):
    """Without a database the answer is 200 with what the processes have counted, and the failure counts as an error of
    the database.
    """
    refuse = Mock(side_effect=connection.Database.OperationalError("connection refused"))
    with counted() as rose, monkeypatch.context() as patch:
        patch.setattr(connection, "create_cursor", refuse)
        answer = client.get("/metrics")
    assert (answer.status_code, b"desk_database_up 0.0" in answer.content) == (200, True)
    assert b"desk_build_info" in answer.content
    assert b"desk_orders" not in answer.content
    assert rose['desk_database_errors_total{kind="away"}'] >= 1
    assert figures()["desk_database_up"] == 1


def test_the_database_is_asked_every_15_seconds_however_many_scrape(db, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(gauges, "KEPT_FOR", 15.0)
    gauges.KEPT.unlink(missing_ok=True)
    factories.OrderFactory(state=Order.State.ACTIVE)
    assert figures()['desk_orders{state="active"}'] == 1
    with django_assert_num_queries(0):
        assert [figures()['desk_orders{state="active"}'] for _ in range(3)] == [1, 1, 1]
    gauges.KEPT.unlink()


def test_the_files_have_room_for_every_page(own_folder):
    """The files have their full size from the beginning. A file that grows would have holes, and writing into a hole
    kills the process if the disk is full.
    """

    def names(resolver, space=""):
        for one in resolver.url_patterns:
            if hasattr(one, "url_patterns"):
                yield from names(one, f"{space}{one.namespace}:" if one.namespace else space)
            else:
                yield f"{space}{one.name}"

    def count():
        for name in {*names(get_resolver())}:
            counters.count_page(name, 0.1)
        for step in Step:
            counters.count_call("bigdata", step, "unknown", 0.1)

    in_a_process(count)
    assert {file.name.split("_")[0]: file.stat().st_size for file in own_folder.glob("*.db")} == counters.SIZES
    assert len([name for name in figures() if name.startswith("desk_pages_seconds_sum")]) > 200


# --- When processes end or are killed


def test_what_a_killed_process_counted_stays(own_folder):
    def count():
        for _ in range(3):
            counters.count_call("bpm", "start_bpm", "done", 0.2)

    for _ in range(2):
        in_a_process(count)
    for _ in range(3):
        found = figures()
        assert found['desk_calls_total{outcome="done",partner="bpm",step="start_bpm"}'] == 6
        assert found['desk_call_seconds_bucket{le="0.25",partner="bpm",step="start_bpm"}'] == 6
        assert found['desk_call_seconds_bucket{le="0.1",partner="bpm",step="start_bpm"}'] == 0
    assert len(list(own_folder.glob("*.db"))) == 2  # the second process goes on in the files of the first one


def test_a_living_process_is_not_taken_for_dead(own_folder):
    """Reading the files of a process that still runs does not keep it from counting on."""
    begun, go_on = os.pipe(), os.pipe()
    if (child := os.fork()) == 0:
        counters.count_login("password", "let_in")
        os.write(begun[1], b".")
        os.read(go_on[0], 1)
        counters.count_login("password", "let_in")
        os._exit(0)
    os.read(begun[0], 1)
    name = 'desk_logins_total{outcome="let_in",way="password"}'
    assert figures()[name] == 1
    os.write(go_on[1], b".")
    os.waitpid(child, 0)
    assert [figures()[name] for _ in range(2)] == [2, 2]


def test_a_child_that_outlives_its_parent_adds_to_what_that_counted(own_folder):
    told = os.pipe()

    def count():
        alive = os.pipe()
        counters.count_login("password", "let_in")
        if os.fork():
            counters.count_login("password", "let_in")
            return
        os.close(alive[1])
        os.read(alive[0], 1)  # waits until the parent has ended
        counters.count_login("password", "let_in")
        os.write(told[1], b".")
        os._exit(0)

    in_a_process(count)
    os.read(told[0], 1)
    assert figures()['desk_logins_total{outcome="let_in",way="password"}'] == 3


@pytest.mark.parametrize("rubbish", [b"", b"x", b"\xff" * 64, b"\x40\0\0\0\0\0\0\0\x10\0\0\0" + b"a" * 90])
def test_a_broken_file_stops_nothing(own_folder, rubbish):
    (own_folder / "counter_1-1.db").write_bytes(rubbish)
    in_a_process(lambda: counters.count_login("password", "let_in"))
    assert figures()['desk_logins_total{outcome="let_in",way="password"}'] == 1


def test_a_full_disk_refuses_nothing_and_is_one_line(client, clock, db, monkeypatch, caplog, own_folder):
    monkeypatch.setattr(counters, "_own", counters._Own())
    monkeypatch.setattr(os, "posix_fallocate", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    for _ in range(3):
        post_order(client, {"OrderNum": "100A1"})
    said = [record.getMessage() for record in caplog.records if record.name == "integrations.base.counters"]
    assert said == [
        "STATE_DIR: this process can't count for /metrics; all else goes on: [Errno 28] No space left on device"
    ]
    assert not list(own_folder.glob("*.part"))


# --- Gauges


def test_gauges(client, clock, db):
    factories.HeartbeatFactory(seen_at=timezone.now() - datetime.timedelta(seconds=5))
    due = timezone.now() - datetime.timedelta(seconds=42)
    factories.DispatchFactory(next_try_at=due)
    factories.DispatchFactory(state=Dispatch.State.DONE)
    factories.OrderFactory(state=Order.State.ACTIVE)
    factories.IncidentFactory(code="lost")
    factories.IncidentFactory(code="what the partner likes to say")
    factories.IncidentFactory(code="lost", partner="bigdata", state=Incident.State.RESOLVED)
    answer = client.get("/metrics")
    assert answer["Content-Type"].startswith("text/plain")
    lines = answer.content.decode().splitlines()
    assert 'desk_dispatches{channel="billing",state="due"} 1.0' in lines
    assert 'desk_dispatches{channel="bpm",state="retrying"} 0.0' in lines
    assert not [line for line in lines if line.startswith("desk_dispatches") and "done" in line]
    assert 'desk_oldest_due_seconds{partner="bigdata"} 42.0' in lines
    assert "desk_heartbeat_age_seconds 5.0" in lines
    assert 'desk_orders{state="in_progress"} 2.0' in lines
    assert 'desk_orders{state="active"} 1.0' in lines
    assert 'desk_open_incidents{code="lost"} 1.0' in lines
    assert 'desk_open_incidents{code="disk_low"} 0.0' in lines
    assert 'desk_open_incidents{code="other"} 1.0' in lines
    assert "desk_notices_given_up 0.0" in lines
    assert not [line for line in lines if line.startswith(("desk_oldest_due_seconds ", "desk_open_incidents{state="))]


def test_metrics_of_what_is_retried(client, clock, db):
    times = {"frozen_at": timezone.now() - datetime.timedelta(seconds=1801), "next_try_at": timezone.now()}
    factories.BpmDispatchFactory(state="retrying", attempts=1, tries_left=1, **times)
    lines = client.get("/metrics").content.decode().splitlines()
    assert 'desk_oldest_retrying_seconds{partner="bpm"} 1801.0' in lines
    assert 'desk_oldest_retrying_seconds{partner="mail"} 0.0' in lines
    assert not [line for line in lines if line.startswith("desk_heartbeat_age_seconds ")]  # no worker has ever run


@pytest.mark.django_db
@pytest.mark.parametrize(
    "allowed, peer, status",
    [
        (["127.0.0.1"], "127.0.0.1", 200),
        (["127.0.0.1"], "::ffff:127.0.0.1", 200),
        (["10.1.0.0/16", "fd00::/8"], "10.1.2.3", 200),
        (["10.1.0.0/16", "fd00::/8"], "fd00::5", 200),
        (["10.1.0.0/16"], "10.2.0.1", 403),
        (["127.0.0.1"], "203.0.113.9", 403),
        (["127.0.0.1"], "", 403),
        (["127.0.0.1"], "unix:", 403),
        ([], "127.0.0.1", 403),
    ],
)
def test_who_may_read_metrics(client, settings, allowed, peer, status):
    """Only the address of the connection counts. A header can't claim another address."""
    settings.METRICS_ALLOWED_IPS = allowed
    headers = {"HTTP_X_FORWARDED_FOR": "127.0.0.1", "HTTP_X_REAL_IP": "127.0.0.1"}
    assert client.get("/metrics", REMOTE_ADDR=peer, **headers).status_code == status
