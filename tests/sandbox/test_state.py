"""The sandbox's state, its calls and its page. A state file survives the end of the sandbox."""

import pytest
import requests

from tests.fakes import RunningSandbox
from tests.sandbox.bodies import DONE, PUT, QUERY, RECORD, START, names, post, records


def test_the_state_shows_everything(sandbox):
    post(sandbox, PUT, records(), key="k")
    state = requests.get(f"{sandbox.url}/state", timeout=5).json()
    assert state["records"] == [RECORD]
    none = dict.fromkeys(["cancelled", "deleted", "processes", "repeats", "violations"], 0)
    assert state["counts"] == {"calls": 1, "records": 1} | none
    [call] = state["calls"]
    assert (call["path"], call["key"], call["request_id"], call["status"]) == (PUT, "k", "request-1", 200)
    assert (call["body"], call["answer"], call["fault"]) == (records(), DONE, None)
    assert (state["processes"], state["violations"], state["faults"]) == ([], [], [])
    assert state["strict"] is False


def test_calls_are_found_by_address_and_order(sandbox):
    post(sandbox, PUT, records({"jobId": "A1"}))
    post(sandbox, QUERY, {"jobId": "A1"})
    post(sandbox, QUERY, {"jobId": "A12"})

    def found(**query):
        return len(requests.get(f"{sandbox.url}/calls", params=query, timeout=5).json()["calls"])

    assert (found(), found(path=QUERY), found(order="A1"), found(path=QUERY, order="A1")) == (3, 2, 2, 1)
    assert found(calls=1) == 1
    assert requests.get(f"{sandbox.url}/calls?calls=x", timeout=5).status_code == 400


@pytest.mark.whole
def test_only_the_last_calls_are_kept(sandbox, monkeypatch):
    monkeypatch.setattr("integrations.sandbox.store.KEPT_CALLS", 100)
    with requests.Session() as session:
        for number in range(500):
            session.post(sandbox.url + PUT, data=b"{}", headers={"Idempotency-Key": f"k{number}"}, timeout=5)
    assert len(sandbox.calls()) == 100
    assert sandbox.state()["counts"]["calls"] == 500


def test_reset_empties_it(sandbox):
    post(sandbox, PUT, records(), key="k")
    sandbox.fault(PUT, "500")
    assert requests.post(f"{sandbox.url}/reset", timeout=5).json()["code"] == 200
    state = requests.get(f"{sandbox.url}/state", timeout=5).json()
    assert not any(state["counts"].values())
    assert (state["records"], state["calls"], state["faults"]) == ([], [], [])
    assert post(sandbox, PUT, records({"domain": "b.example.com"}), key="k").json() == DONE


def test_unknown_addresses_and_methods_are_told(sandbox):
    assert requests.post(f"{sandbox.url}/bpm/other", json={}, timeout=5).status_code == 404
    assert requests.get(sandbox.url + PUT, timeout=5).status_code == 405
    chunked = requests.post(sandbox.url + PUT, data=iter([b"{}"]), timeout=5)
    assert chunked.status_code == 411


def test_the_page_escapes_what_it_shows(sandbox, case):
    name = "<script>alert('x')</script>"
    post(sandbox, PUT, records({"enterpriseName": name}, {"domain": "b.example.com", "cancelStatus": "2"}), key=name)
    process = case(1)["expect"]["bpm"][0]
    process["data"]["tyywrwlcdx"]["nameOfClient"] = name
    post(sandbox, START, process)
    post(sandbox, START, process)
    post(sandbox, PUT, records(), key=name)
    sandbox.fault(PUT, "slow_drip")
    answer = requests.get(f"{sandbox.url}/", timeout=5)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<script" not in answer.text
    assert "&lt;script&gt;alert(&#x27;x&#x27;)" in answer.text
    for word in ("有效", "已取消", "bpm-1", "逐字节应答", "再次出现，内容不同", "又以键", "2 次违规"):
        assert word in answer.text


def test_the_page_is_whole_when_there_is_nothing(sandbox):
    answer = requests.get(f"{sandbox.url}/", timeout=5)
    for word in ("还没有话单", "还没有流程", "还没有调用", "没有设置故障"):
        assert word in answer.text
    assert "style-src 'self'" in answer.headers["Content-Security-Policy"]
    assert requests.get(f"{sandbox.url}/style.css", timeout=5).headers["Content-Type"].startswith("text/css")


def test_a_state_file_outlives_a_restart(tmp_path, case):
    file = str(tmp_path / "state.sqlite3")
    body = case(1)["expect"]["bpm"][0]
    with RunningSandbox(file) as running:
        post(running, PUT, records({}, {"domain": "b.example.com"}))
        post(running, PUT, records({"domain": "b.example.com", "cancelStatus": "2"}))
        post(running, START, body, key="k")
        before = running.state()
    with RunningSandbox(file) as running:
        assert running.state() == before
        assert post(running, START, body, key="k").json()["result"]["processId"] == "bpm-1"
        post(running, "/bigdata/productInfos/delete", names(RECORD))
        assert running.state()["counts"]["deleted"] == 1
