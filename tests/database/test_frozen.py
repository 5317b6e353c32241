"""A frozen PostgreSQL accepts what is sent and answers nothing.

Real web and worker processes use it through a relay.
"""

import contextlib
import functools
import signal
import threading
import time
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from integrations.bboss.sample_envelope import signed_envelope
from tests.bboss_messages import accepted
from tests.bpm_messages import DECISION
from tests.harness.desk import ProcessDesk
from tests.harness.relay import Relay
from tests.processes.conftest import QUICK, SHORT, postgres  # noqa: F401  the server's address
from tests.processes.orders import activation, check_calls, post_all, trial, until_active


class RelayedDesk(ProcessDesk):
    """A desk whose web and worker reach the database through `relay`. The test reads the database directly."""

    def __enter__(self):
        server = urlsplit(self.postgres)
        self.relay = Relay(server.hostname, server.port or 5432)
        return super().__enter__()

    def __exit__(self, *exc):
        self.relay.thaw()
        try:
            super().__exit__(*exc)
        finally:
            self.relay.close()

    @property
    def environment(self):
        server = urlsplit(self.database_url)
        through = server._replace(netloc=f"{server.username or 'root'}@127.0.0.1:{self.relay.port}")
        return super().environment | {"DATABASE_URL": through.geturl()}


@pytest.fixture(scope="module")
def desk(tmp_path_factory, postgres):  # noqa: F811
    if not postgres:
        pytest.skip("a file does not freeze; tests/database/test_unusable.py has what may happen to one")
    with RelayedDesk(tmp_path_factory.mktemp("frozen"), postgres=postgres, **SHORT) as running:
        yield running


@pytest.fixture
def worker(desk):
    process = desk.start_worker(**QUICK)
    desk.cluster()
    yield process
    if "worker" in desk.processes:
        desk.stop("worker")


@pytest.fixture
def frozen(desk):
    """Returns a function for `with frozen():`. Inside this block, the database answers nothing."""

    @contextlib.contextmanager
    def freeze():
        desk.relay.freeze()
        try:
            yield
        finally:
            desk.relay.thaw()

    return freeze


def timed(ask) -> tuple[requests.Response, float]:
    began = time.monotonic()
    return ask(), time.monotonic() - began


def post(desk, content: dict) -> requests.Response:
    return requests.post(f"{desk.web_url}/api/bboss/orders", json=signed_envelope(content, now=desk.now()), timeout=60)


def get(desk, path: str) -> requests.Response:
    return requests.get(f"{desk.web_url}{path}", timeout=60, allow_redirects=False)


def is_refused(answer: requests.Response) -> bool:
    return answer.status_code == 503 and answer.json()["response"]["rspCode"] == "20000"


def test_everybody_is_answered_in_time_and_all_is_well_again(desk, worker, frozen):
    post_all(desk, [trial(1), activation(1)])
    until_active(desk, 1, 1)
    with frozen():
        answer, took = timed(lambda: post(desk, trial(2)))
        assert is_refused(answer), answer.text
        assert took < 10
        answer, took = timed(lambda: get(desk, "/readyz"))
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["the database does not answer"]
        assert took < 30
        assert get(desk, "/readyz?for=intake").status_code == 503
        assert get(desk, "/livez").status_code == 200
        page, took = timed(lambda: requests.get(f"{desk.web_url}/admin/", cookies={"sessionid": "a" * 32}, timeout=60))
        assert page.status_code == 503
        assert "数据库暂时无响应" in page.text
        assert took < 32
        answer = desk.callback({"recordId": "r1", "code": "100A0001"} | DECISION)
        assert (answer.status_code, answer.json()["code"]) == (503, 503)
    desk.until(lambda: get(desk, "/readyz").status_code == 200, seconds=60)
    post_all(desk, [trial(2), activation(2)])
    until_active(desk, 2, 2, seconds=60)
    check_calls(desk)
    assert "Traceback" not in desk.all_logs(), desk.logs()
    assert desk.log("web").count("/admin/") == 1
    said = [line for line in desk.log("worker").splitlines() if "watchdog" in line]
    assert ["does not answer the watchdog" in line for line in said] == [True, False], said


@pytest.mark.kills
def test_under_load_all_callers_are_answered_in_time_and_nothing_is_lost_or_doubled(desk, worker, frozen):
    """Forty callers post at the same time, many more than the web process has threads. Then the database freezes.

    All callers are answered in time, and nothing is lost or doubled.
    """
    answers: list[tuple[dict, requests.Response, float]] = []
    stop = threading.Event()
    numbers = iter(range(100, 100_000))
    lock = threading.Lock()

    def call():
        while not stop.is_set():
            with lock:
                content = trial(next(numbers))
            answer, took = timed(functools.partial(post, desk, content))
            answers.append((content, answer, took))
            time.sleep(1)

    callers = [threading.Thread(target=call) for _ in range(40)]
    for caller in callers:
        caller.start()
    time.sleep(2)
    with frozen():
        time.sleep(25)
    time.sleep(5)
    stop.set()
    for caller in callers:
        caller.join()
    assert max(took for _, _, took in answers) < 12  # 10 s, and a little more for forty callers on a busy machine
    taken = [content for content, answer, _ in answers if answer.status_code == 200 and accepted(answer.json())]
    refused = [content for content, answer, _ in answers if is_refused(answer)]
    assert len(taken) + len(refused) == len(answers)
    assert taken
    assert refused
    desk.until(lambda: get(desk, "/readyz").status_code == 200, seconds=60)
    kept = {number for (number,) in desk.rows("SELECT number FROM orders_order")}
    assert {content["OrderNum"] for content in taken} <= kept
    for content in refused[:20]:
        assert accepted(post(desk, content).json())
    check_calls(desk)
    assert "Traceback" not in desk.all_logs(), desk.logs()


@pytest.mark.kills
@pytest.mark.parametrize("after", [0, 6, 21])
def test_sigterm_ends_the_worker_though_the_database_is_frozen(desk, worker, frozen, after):
    with frozen():
        time.sleep(after)
        began = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
        assert time.monotonic() - began < 40
        desk.processes.pop("worker")


@pytest.mark.kills
def test_a_worker_that_delivers_goes_on_by_itself(desk, worker, frozen):
    """The database freezes while a worker makes calls, for longer than leases last. The worker continues by itself."""
    desk.fault(path="/bigdata/productInfos", kind="slow", count=10, seconds=1)
    post_all(desk, [make(n) for n in range(10, 20) for make in (trial, activation)])
    clusters = desk.replacements()
    with frozen():
        time.sleep(45)
    until_active(desk, 10, 19, seconds=60)
    check_calls(desk)
    assert desk.replacements() == clusters, "the cluster was blamed for its database"
    assert worker.poll() is None


def test_a_statement_that_was_given_up_ends_on_the_server_too(desk):
    """The server ends a statement that waits too long for a lock.

    Afterwards the statement has no lock on the server.
    """
    with psycopg.connect(desk.database_url) as holder:
        holder.execute("LOCK TABLE orders_order IN ACCESS EXCLUSIVE MODE")
        answer, took = timed(lambda: post(desk, trial(30)))
        assert is_refused(answer)
        assert took < 10
    assert accepted(post(desk, trial(30)).json())
