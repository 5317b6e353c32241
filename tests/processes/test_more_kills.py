"""Kills every process of a worker in turn, and tests other failures. Takes minutes: `-m kills`."""

import datetime
import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.harness.desk import ProcessDesk
from tests.harness.proc import kill
from tests.processes.conftest import QUICK
from tests.processes.hanging import hang
from tests.processes.orders import activation, check_calls, pairs, post_all, trial, until_active

pytestmark = pytest.mark.kills
BILLING, BPM = "/bigdata/productInfos", "/bpm/flows/start"
LOGS_IN = """
from django.test import Client
from project.models import User
client = Client()
client.force_login(User.objects.create_superuser("{name}"))
print(client.cookies["sessionid"].value)
"""


@pytest.fixture
def numbers(request, shared_desk):
    """Returns (first, last), the range of order numbers that no other test uses."""
    used = shared_desk.rows("SELECT count(*) FROM orders_order")[0][0]
    return 1000 + used, 1000 + used + 7


@pytest.mark.parametrize("parts", [("main", "sentinel", "all", "workers"), ("pusher", "monitor")], ids="-".join)
def test_any_part_of_an_idle_cluster_may_die(desk, numbers, parts):
    """After any part of an idle cluster was killed, the desk works again within two minutes.

    Either django-q2 or the watchdog repairs the cluster. The same watchdog sees all kills of a list. Workers and a
    monitor are the last of a list, because the parts of a cluster that has replaced them can't be told apart by their
    age any more.
    """
    desk.start_worker(**QUICK)
    first, last = numbers
    for part in parts:
        cluster = desk.cluster()
        desk.worker_since = datetime.datetime.now(datetime.UTC)
        kill(*cluster.of(part))
        post_all(desk, pairs(first, last))
        until_active(desk, first, last)
        check_calls(desk)
        first, last = last + 1, last + 8


def test_a_guard_that_stands_still_is_noticed(desk, numbers):
    """The guard (sentinel) of a cluster is stopped, and the workers answer on. The watchdog must replace the cluster.

    The same happens if a worker dies at the end of a task, because it keeps a lock that the guard waits for.
    """
    replaced = desk.replacements()
    desk.start_worker(**QUICK)
    os.kill(desk.cluster().sentinel, signal.SIGSTOP)
    desk.until(lambda: desk.replacements() > replaced, seconds=90)
    post_all(desk, pairs(*numbers))
    until_active(desk, *numbers)


def test_results_that_nobody_notes_are_noticed(desk, numbers):
    """A monitor that dies idle keeps a lock. So tasks are carried out, but stay in the queue forever.

    The watchdog must replace the cluster.
    """
    desk.start_worker(ping_every=2, patience=10)
    hang(desk, part="monitor", within=90)
    post_all(desk, pairs(*numbers))
    until_active(desk, *numbers)


def test_a_busy_worker_may_die(desk, numbers):
    """A worker is killed during calls, so their results are unknown.

    The same bytes are sent again under the same keys.
    """
    desk.start_worker(**QUICK)
    desk.cluster()
    desk.fault(path=BILLING, kind="slow", count=6, seconds=2)
    post_all(desk, [trial(n) for n in range(numbers[0], numbers[1] + 1)])
    open_attempts = "SELECT worker FROM orders_attempt WHERE outcome = '' AND worker <> ''"
    (worker,) = desk.until(lambda: desk.rows(open_attempts))[0]
    time.sleep(0.5)  # the calls are on their way
    kill(int(worker.rpartition(":")[2]))
    post_all(desk, [activation(n) for n in range(numbers[0], numbers[1] + 1)])
    until_active(desk, *numbers)
    assert desk.rows("SELECT count(*) FROM orders_attempt WHERE outcome = 'lost'")[0][0] > 0
    check_calls(desk)


@pytest.mark.parametrize("with_main", [False, True])
def test_a_cluster_without_its_watchdog_ends_itself(desk, numbers, with_main):
    """A cluster ends itself if its watchdog is killed, even together with its main process. No orphan continues."""
    worker = desk.start_worker()
    cluster = desk.cluster()
    kill(worker.pid, *([cluster.main] if with_main else []))
    worker.wait()
    del desk.processes["worker"]
    desk.until(lambda: not {row.pid for row in desk.alive()} & set(cluster.all()), seconds=60)
    post_all(desk, pairs(*numbers))
    desk.start_worker()
    until_active(desk, *numbers)
    check_calls(desk)


def test_a_plain_qcluster_does_all_the_work(desk, numbers):
    """A plain `qcluster` without a watchdog does all the work after `setup_schedules`.

    It has a heartbeat and sweeps.
    """
    desk.manage("setup_schedules")
    process = desk.start("worker-plain", "manage.py", "qcluster")
    post_all(desk, pairs(*numbers))
    until_active(desk, *numbers)
    since = desk.now()
    desk.until(lambda: "qcluster" in desk.heartbeats(since=since), seconds=120)  # the sweep's heartbeat
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    check_calls(desk)


def test_two_workers_share_the_work(desk, numbers):
    """Two workers share the work.

    Each has a separate cluster and watchdog, and a ping reaches only its own cluster.
    """
    desk.start_worker("worker-one", **QUICK)
    desk.start_worker("worker-two", **QUICK)
    first, second = desk.cluster("worker-one"), desk.cluster("worker-two")
    hang(desk, "worker-one")
    assert desk.cluster("worker-one").main != first.main
    assert desk.cluster("worker-two").main == second.main
    post_all(desk, pairs(*numbers))
    until_active(desk, *numbers)
    check_calls(desk)


def test_retries_are_not_late(tmp_path, postgres):
    """With a healthy worker, no attempt is more than 10 s late. Contract 3.5 promises this."""
    with ProcessDesk(tmp_path, postgres=postgres, DISPATCH_RETRY_SECONDS="15,15") as desk:
        desk.start_worker()
        desk.cluster()
        desk.fault(path=BILLING, kind="503", count=1)
        post_all(desk, [trial(1)])
        due_at = desk.until(lambda: desk.rows("SELECT next_try_at FROM orders_dispatch WHERE state = 'retrying'"))
        second = "SELECT started_at FROM orders_attempt WHERE number = 2"
        started = desk.until(lambda: desk.rows(second), seconds=60)
        late = (moment(started) - moment(due_at)).total_seconds()
        assert 0 <= late < 10


def moment(rows) -> datetime.datetime:
    value = rows[0][0]
    return datetime.datetime.fromisoformat(value) if isinstance(value, str) else value


def test_the_full_times_of_the_contract(desk, numbers):
    """With the times of production, a hung cluster is replaced within two minutes.

    These times are a ping every 15 s, and a patience of 60 s.
    """
    desk.start_worker()
    hang(desk)
    post_all(desk, pairs(*numbers))
    until_active(desk, *numbers)


def test_a_database_that_is_away_is_waited_for(desk, numbers, postgres):
    """The database is unavailable for a time, as at a restart of PostgreSQL. No cluster is replaced for that.

    All work continues when the database is available again.
    """
    if not postgres:
        pytest.skip("SQLite is a file: it does not go away")
    replaced = desk.replacements()
    desk.start_worker(ping_every=1, patience=15)  # a busy machine alone may delay an answer by six seconds
    cluster = desk.cluster()
    desk.fault(path=BILLING, kind="slow", count=4, seconds=1)
    post_all(desk, pairs(*numbers))
    desk.sql(f"ALTER DATABASE {desk.name} ALLOW_CONNECTIONS false")
    desk.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{desk.name}'")
    time.sleep(18)  # longer than the patience
    desk.sql(f"ALTER DATABASE {desk.name} ALLOW_CONNECTIONS true")
    until_active(desk, *numbers)
    assert desk.replacements() == replaced
    assert desk.cluster().main == cluster.main
    check_calls(desk)


def test_many_orders_at_once_and_a_crowd_of_wake_ups(desk, numbers):
    """Many orders are posted in parallel during delivery. No lock of the database causes an error.

    Nothing is sent twice.
    """
    desk.start_worker()
    desk.cluster()
    first = numbers[0]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda part: post_all(desk, pairs(first + 25 * part, first + 25 * part + 24)), range(4)))
    until_active(desk, first, first + 99, seconds=180)
    # Wake-ups that a dead worker has locked are not counted.
    free = "SELECT count(*) FROM django_q_ormq WHERE key = 'wake-up' AND lock < CURRENT_TIMESTAMP"
    desk.until(lambda: desk.rows(free)[0][0] <= 2)
    check_calls(desk)


def test_a_page_that_is_open_over_a_restart_of_the_web_process_goes_on(desk, numbers):
    """A page that stays open during a restart of the web process reports only real changes afterwards.

    Its session and its version do not depend on a process.
    """
    key = desk.manage("shell", "--verbosity", "0", "-c", LOGS_IN.format(name=f"open{numbers[0]}")).stdout.split()[-1]
    browser = requests.Session()
    browser.cookies.set("sessionid", key)
    url = f"{desk.web_url}/admin/orders/order/"
    version = re.search(r'data-version="([\w-]+)"', browser.get(url, timeout=60).text)[1]

    def poll():
        return browser.get(url, params={"seen": version}, headers={"Desk-Poll": "1"}, timeout=60)

    assert poll().status_code == 204
    desk.stop("web")
    with pytest.raises(requests.ConnectionError):
        poll()
    desk.start_web()
    assert poll().status_code == 204
    post_all(desk, [trial(numbers[0])])
    answer = poll()
    assert (answer.status_code, trial(numbers[0])["OrderNum"] in answer.text) == (200, True)
