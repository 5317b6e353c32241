"""Each kind of fault over HTTP, and the calls that switch faults on and off."""

import threading
import time

import pytest
import requests

from tests.harness.waiting import until
from tests.sandbox.bodies import DONE, PUT, QUERY, START, post, records


def effects(sandbox):
    return len(sandbox.state()["records"])


@pytest.mark.parametrize("kind", ["500", "503", "429", "409"])
def test_an_http_error_changes_nothing(sandbox, kind):
    sandbox.fault(PUT, kind, count=2, retry_after=5)
    for _ in range(2):
        answer = post(sandbox, PUT, records(), key="k")
        assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (int(kind), int(kind), "5")
    assert effects(sandbox) == 0
    assert post(sandbox, PUT, records(), key="k").json() == DONE
    assert [call["fault"] for call in sandbox.calls()] == [kind, kind, None]
    assert sandbox.state()["violations"] == []


def test_retry_after_is_left_out_unless_asked(sandbox):
    sandbox.fault(PUT, "503")
    assert "Retry-After" not in post(sandbox, PUT, records()).headers


def test_garbage_is_no_json(sandbox):
    sandbox.fault(PUT, "garbage")
    answer = post(sandbox, PUT, records())
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert effects(sandbox) == 0


def test_a_refusal_changes_nothing_and_is_not_remembered(sandbox):
    sandbox.fault(PUT, "refusal", code=4001, message="域名未备案")
    answer = post(sandbox, PUT, records(), key="k")
    assert (answer.status_code, answer.json()) == (200, {"code": 4001, "message": "域名未备案"})
    assert effects(sandbox) == 0
    assert post(sandbox, PUT, records(), key="k").json() == DONE


@pytest.mark.parametrize("kind, acted", [("reset", 0), ("reset_after", 1)])
def test_a_reset_breaks_the_connection(sandbox, kind, acted):
    sandbox.fault(PUT, kind)
    with pytest.raises(requests.ConnectionError) as caught:
        post(sandbox, PUT, records(), key="k")
    assert "ConnectionResetError" in repr(caught.value)
    assert effects(sandbox) == acted
    assert post(sandbox, PUT, records(), key="k").json() == DONE
    assert sandbox.state()["counts"]["repeats"] == acted
    assert sandbox.calls()[0]["status"] is None


def test_slow_acts_after_its_wait(sandbox):
    sandbox.fault(PUT, "slow", seconds=0.2)
    began = time.perf_counter()
    assert post(sandbox, PUT, records()).json() == DONE
    assert time.perf_counter() - began >= 0.2
    assert sandbox.calls()[0]["took"] >= 0.2


def test_the_retry_of_a_slow_call_has_the_only_effect(sandbox, case):
    body = case(1)["expect"]["bpm"][0]
    sandbox.fault(START, "slow", seconds=0.3)
    with pytest.raises(requests.Timeout):
        post(sandbox, START, body, key="k", timeout=0.1)
    assert post(sandbox, START, body, key="k").json()["code"] == 200
    until(lambda: sandbox.calls()[0]["took"] is not None)
    state = sandbox.state()
    assert (len(state["processes"]), state["counts"]["repeats"]) == (1, 1)


def test_emptying_ends_slow_calls_without_acting(sandbox):
    sandbox.fault(PUT, "slow", seconds=60)
    ended = threading.Event()

    def call():
        with pytest.raises(requests.ConnectionError):
            post(sandbox, PUT, records(), timeout=10)
        ended.set()

    threading.Thread(target=call).start()
    until(sandbox.calls, every=0.005)
    time.sleep(0.02)
    sandbox.reset()
    assert ended.wait(20)
    assert effects(sandbox) == 0


def test_a_dripping_answer_outlives_a_time_out_per_read(sandbox):
    sandbox.fault(PUT, "slow_drip", seconds=0.4)
    began = time.perf_counter()
    assert post(sandbox, PUT, records(), timeout=0.2).json() == DONE
    assert time.perf_counter() - began >= 0.3
    assert effects(sandbox) == 1


def test_a_fault_keeps_to_its_address(sandbox):
    sandbox.fault(START, "500")
    assert post(sandbox, PUT, records()).status_code == 200
    sandbox.fault("*", "503")
    assert post(sandbox, QUERY, {"jobId": "A"}).status_code == 503
    assert post(sandbox, START, {}).status_code == 500


def test_faults_are_set_listed_and_cleared_over_http(sandbox):
    url = f"{sandbox.url}/faults"
    asked = {"path": PUT, "count": 3, "kind": "500"}
    [left] = requests.post(url, json=asked, timeout=5).json()["faults"]
    assert asked.items() <= left.items()
    post(sandbox, PUT, records())
    assert requests.get(url, timeout=5).json()["faults"][0]["count"] == 2
    assert requests.delete(url, timeout=5).json() == {"faults": []}
    assert post(sandbox, PUT, records()).json() == DONE


@pytest.mark.parametrize(
    "change, member",
    [
        ({"path": "/nowhere"}, "path"),
        ({"path": []}, "path"),
        ({"kind": "explode"}, "kind"),
        ({"kind": 500}, "kind"),
        ({"count": 0}, "count"),
        ({"count": "3"}, "count"),
        ({"count": True}, "count"),
        ({"seconds": -1}, "seconds"),
        ({"seconds": 1e99}, "seconds"),
        ({"retry_after": 1.5}, "retry_after"),
        ({"code": "400"}, "code"),
        ({"message": 1}, "message"),
        ({"kinds": "500"}, "kinds"),
    ],
)
def test_a_bad_fault_is_told(sandbox, change, member):
    asked = {"path": PUT, "kind": "500", **change}
    answer = requests.post(f"{sandbox.url}/faults", json=asked, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"{member}: ")
    assert sandbox.partners.faults.left() == []
