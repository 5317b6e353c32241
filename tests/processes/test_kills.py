"""Tests the kills and stops of processes that belong to every run of the suite. test_more_kills.py has the others."""

import os
import signal
import threading
import time

import pytest
import requests

from tests.harness.desk import ProcessDesk
from tests.harness.proc import kill
from tests.processes.conftest import QUICK, SHORT
from tests.processes.hanging import hang
from tests.processes.orders import activation, check_calls, pairs, post_all, states, trial, until_active

pytestmark = pytest.mark.kills
BILLING = "/bigdata/productInfos"


def test_the_death_of_idle_workers_is_noticed(desk):
    """A worker process that dies idle keeps the queue's lock, so django-q2's cluster hangs.

    The watchdog must notice this.
    """
    desk.start_worker(**QUICK)
    before = hang(desk)
    post_all(desk, [trial(1), activation(1)])
    until_active(desk, 1, 1)
    after = desk.cluster()
    assert not set(after.all()) & set(before.all())
    assert not {row.pid for row in desk.alive()} & set(before.all())
    check_calls(desk)


def test_a_killed_desk_goes_on_where_it_was(desk):
    """Web and workers are killed by SIGKILL during intake and delivery.

    Orders that were answered 00000 are carried out.
    """
    desk.start_worker(**QUICK)
    desk.cluster()
    desk.fault(path=BILLING, kind="slow", count=3, seconds=2)
    answered = post_while_killed(desk, first=100, last=139, kill_after=12)
    kill_all_workers(desk)
    desk.start_web()
    assert len(answered) >= 12
    for number, trans_idh in answered.items():
        content = trial(int(number[4:])) if number[3] == "T" else activation(int(number[4:]))
        assert desk.post(content)["transIDH"] == trans_idh
    post_all(desk, pairs(100, 139))
    desk.start_worker(**QUICK)
    until_active(desk, 100, 139)
    check_calls(desk)


def post_while_killed(desk, *, first: int, last: int, kill_after: int) -> dict[str, str]:
    """Posts trials and activations. Kills the web process after `kill_after` answers, so later answers may be missing.

    Returns {order number: transIDH} of the answers that came. Asserts that all of them have the code 00000.
    """
    answered: dict[str, str] = {}

    def post():
        for n in range(first, last + 1):
            for content in (trial(n), activation(n)):
                try:
                    reply = desk.post(content)
                except requests.RequestException:
                    return
                assert reply["response"]["rspCode"] == "00000"
                answered[content["OrderNum"]] = reply["transIDH"]

    thread = threading.Thread(target=post)
    thread.start()
    desk.until(lambda: len(answered) >= kill_after)
    desk.kill("web")
    thread.join(60)
    return answered


def kill_all_workers(desk) -> None:
    """Kills the watchdog and every process of its cluster at once."""
    worker = desk.processes.pop("worker")
    outside = {desk.processes["sandbox"].pid}
    kill(*[row.pid for row in desk.alive() if row.pid not in outside])
    worker.wait()


def test_a_stopped_worker_ends_its_calls_and_nothing_is_left(desk):
    """A worker gets SIGTERM during calls.

    It ends these calls and records their results within 20 s, as the contract says.
    """
    worker = desk.start_worker()
    cluster = desk.cluster()
    post_all(desk, [trial(n) for n in range(200, 225)])
    desk.fault(path=BILLING, kind="slow", count=4, seconds=2)
    post_all(desk, [trial(n) for n in range(225, 230)])  # few, so that all come before a call ends
    desk.until(lambda: desk.rows("SELECT count(*) FROM orders_dispatch WHERE state = 'sending'")[0][0])
    began = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(30) == 0
    assert time.monotonic() - began < 20
    assert not {row.pid for row in desk.alive()} & {worker.pid, *cluster.all()}
    assert desk.rows("SELECT count(*) FROM orders_dispatch WHERE state = 'sending'") == [(0,)]
    goodbye = f"SELECT started_at = seen_at FROM integrations_heartbeat WHERE cluster = '{cluster.name}'"
    assert [bool(said) for (said,) in desk.rows(goodbye)] == [True]
    check_calls(desk)


def test_a_step_that_kills_its_worker_is_given_up_and_takes_nobody_along(tmp_path, postgres):
    """A step that kills its worker is given up after six attempts (contract 3.5). The other steps are delivered.

    The step is lost once together with other steps, and five times alone. Each worker before and after it delivers the
    other steps.
    """
    short = SHORT | {"TEST_KILLER": "killer.example.com"}
    with ProcessDesk(tmp_path, postgres=postgres, clock="+0", **short) as desk:
        post_all(desk, [trial(1, ProvContent=[{"ProvReq": "killer.example.com"}])])
        post_all(desk, [trial(n) for n in range(2, 12)])
        ended = []
        for run in range(1, 8):
            ended.append(desk.manage("deliver", "--until-idle", check=False).returncode)
            desk.at(f"+{11 * run}")
        assert ended[:6] == [-signal.SIGKILL] * 6
        shown = desk.show("100T0001")
        step = shown["steps"][0]
        assert (step["status"], step["attempts"]) == ("failed", 6)
        assert [row["code"] for row in shown["incidents"]] == ["lost"]
        assert states(desk, 2, 11, "T") == {f"100T{n:04d}": "trialing" for n in range(2, 12)}
        others = "SELECT max(attempts) FROM orders_dispatch WHERE state = 'done' AND channel = 'billing'"
        assert desk.rows(others)[0][0] <= 2  # each was sent at most once together with the killing step
        assert not desk.calls(order="100T0001")
        check_calls(desk)
