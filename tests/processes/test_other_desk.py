"""A second desk of real processes on the same database takes no step until its settings are adopted."""

import itertools
import os
import signal
import socket

import pytest
import requests

from tests.harness.desk import ProcessDesk
from tests.harness.ports import free_port, listens
from tests.processes.orders import trial

pytestmark = pytest.mark.processes
OPEN = "SELECT count(*) FROM orders_incident WHERE code = 'other_desk' AND state = 'open'"


@pytest.fixture
def desk(tmp_path, postgres):
    with ProcessDesk(tmp_path, postgres=postgres) as running:
        running.start_worker()
        running.cluster()
        yield running


def done(desk: ProcessDesk) -> int:
    return desk.rows("SELECT count(*) FROM orders_dispatch WHERE state = 'done'")[0][0]


def test_another_desk_takes_no_step_until_it_is_adopted(desk):
    port = free_port()
    other = f"http://127.0.0.1:{port}"
    desk.start("their sandbox", "manage.py", "sandbox", "--port", str(port))
    desk.until(lambda: listens(port), what="their sandbox listens")
    desk.settings |= {"BPM_BASE_URL": f"{other}/bpm", "BIGDATA_BASE_URL": f"{other}/bigdata"}
    desk.start_worker("theirs")
    desk.until(lambda: desk.rows(OPEN) == [(1,)], what="the incident")
    for number in range(8):
        assert desk.post(trial(number))["response"]["rspCode"] == "00000"
    desk.until(lambda: done(desk) == 8, what="all steps are done")
    assert calls(other) == 0
    said = "would call others than the desk of this database, by BPM_BASE_URL, BIGDATA_BASE_URL"
    assert said in desk.manage("status", check=False).stdout
    assert "this worker takes no step" in desk.log("theirs")

    desk.manage("settings", "--adopt")
    desk.until(lambda: "this worker takes steps" in desk.log("theirs"), what="the other one works")
    desk.stop("worker")
    for number in range(8, 12):
        desk.post(trial(number))
    desk.until(lambda: done(desk) == 12, what="the other one does the rest")
    assert calls(other) == 4


def calls(url: str) -> int:
    return len(requests.get(f"{url}/calls", timeout=20).json()["calls"])


@pytest.fixture
def by_profile(tmp_path, postgres):
    file = tmp_path / "partners.toml"
    file.write_text('[bpm]\nflow = "one"\n')
    with ProcessDesk(tmp_path, postgres=postgres, PARTNERS_FILE=str(file)) as running:
        running.start_worker(ping_every=1)
        running.cluster()
        yield running, file


def test_a_reload_brings_another_profile_into_force_and_nothing_else_does(by_profile):
    desk, file = by_profile
    numbers = itertools.count()

    def answers(*names: str) -> set[str]:
        return {desk.post(trial(next(numbers)), to=name)["response"]["rspCode"] for name in names for _ in range(4)}

    file.write_text('[bpm]\nflow = "two"\n')
    web = desk.processes["web"].pid
    children = {row.pid for row in desk.alive() if row.parent == web}
    os.kill(min(children), signal.SIGKILL)
    desk.until(lambda: len({row.pid for row in desk.alive() if row.parent == web} - children) == 1, what="another one")
    assert answers("web") == {"00000"}  # the replacement of a dead process has the profile that its parent had read

    desk.start_web("intake")
    assert (answers("web"), answers("intake")) == ({"00000"}, {"20000"})
    assert requests.get(f"{desk.url_of('intake')}/readyz?for=intake", timeout=20).status_code == 503
    said = desk.manage("status", check=False).stdout
    assert f"web {socket.gethostname()[:40]}-" in said
    assert "by PARTNERS_FILE: it answers BBOSS 20000" in said
    desk.manage("pause", "bpm", "--reason", "x")
    refused = desk.manage("resume", "bpm", check=False)
    assert (refused.returncode, "another profile of the partners" in refused.stderr) == (1, True)

    os.kill(web, signal.SIGHUP)
    desk.until(lambda: answers("intake") == {"00000"}, what="the profile is in force")
    assert answers("web") == {"00000"}
    desk.until(lambda: "this worker takes no step" in desk.log("worker"), what="the worker waits")
    os.kill(desk.processes["worker"].pid, signal.SIGHUP)
    number = next(numbers)
    desk.post(trial(number))
    desk.until(lambda: desk.show(f"100T{number:04d}")["state"] == "trialing", what="the worker works again")
    desk.manage("resume", "bpm")
    desk.stop("intake")
    # Five rows: the values in force, the worker, two web processes, and the killed one. A process that ends in order
    # removes its row.
    assert desk.rows("SELECT count(*) FROM integrations_deskprocess") == [(5,)]
