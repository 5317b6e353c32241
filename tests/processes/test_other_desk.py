"""A second desk of real processes on the same database: it takes no step until its settings are adopted."""

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
