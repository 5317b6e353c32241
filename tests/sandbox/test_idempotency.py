"""Each idempotency key has one effect, and the sandbox counts calls that break this rule (contract section 3.5)."""

import threading

import pytest
import requests

from tests.harness.waiting import until
from tests.races.conftest import at_once
from tests.sandbox.bodies import DONE, PUT, QUERY, RECORD, START, post, records


def test_the_same_again_gets_the_stored_answer(sandbox, case):
    body = case(1)["expect"]["bpm"][0]
    answers = [post(sandbox, START, body, key="k").json()["result"]["processId"] for _ in range(3)]
    assert answers == ["bpm-1"] * 3
    state = sandbox.state()
    assert (len(state["processes"]), state["counts"]["repeats"], state["violations"]) == (1, 2, [])


def test_other_bytes_under_a_key_are_a_violation(sandbox):
    assert post(sandbox, PUT, records(), key="k").json() == DONE
    answer = post(sandbox, PUT, records({"domain": "b.example.com"}), key="k")
    assert (answer.status_code, answer.json()["code"]) == (409, 409)
    state = sandbox.state()
    assert len(state["records"]) == 1
    assert [found["kind"] for found in state["violations"]] == ["key_reused"]


OTHER = records({"domain": "b.example.com"})


def test_a_key_that_never_acted_may_come_again_with_other_bytes(sandbox):
    sandbox.fault(PUT, "500")
    assert post(sandbox, PUT, records(), key="k").status_code == 500
    assert post(sandbox, PUT, OTHER, key="k").json() == DONE
    assert post(sandbox, PUT, records(), key="k").status_code == 409
    assert post(sandbox, PUT, OTHER, key="k").json() == DONE
    state = sandbox.state()
    assert [record["domain"] for record in state["records"]] == ["b.example.com"]
    assert [found["kind"] for found in state["violations"]] == ["key_reused", "key_reused"]


def test_a_refusal_is_stored_and_its_key_may_come_again_with_other_bytes(sandbox):
    answers = [post(sandbox, PUT, records({"infoType": "9"}), key="k").json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert (answers[0]["code"], sandbox.state()["counts"]["repeats"]) == (400, 1)
    assert post(sandbox, PUT, OTHER, key="k").json() == DONE
    assert len(sandbox.state()["violations"]) == 1


def test_a_key_whose_answer_was_lost_has_acted(sandbox):
    sandbox.fault(PUT, "reset_after")
    with pytest.raises(requests.ConnectionError):
        post(sandbox, PUT, records(), key="k")
    assert post(sandbox, PUT, OTHER, key="k").json()["code"] == 409
    assert len(sandbox.state()["records"]) == 1


def test_of_two_at_once_under_one_key_the_first_to_act_has_it(sandbox):
    """The slow call arrives first and is carried out last, so the key belongs to the other call and the slow one is
    refused.
    """
    sandbox.fault(PUT, "slow", seconds=0.3)
    slow = []
    thread = threading.Thread(target=lambda: slow.append(post(sandbox, PUT, records(), key="k")))
    thread.start()
    until(sandbox.calls, every=0.005)
    assert post(sandbox, PUT, OTHER, key="k").json() == DONE
    thread.join()
    assert slow[0].status_code == 409
    assert [record["domain"] for record in sandbox.state()["records"]] == ["b.example.com"]


def test_a_key_belongs_to_its_address(sandbox):
    post(sandbox, QUERY, {"jobId": "A"}, key="k")
    assert post(sandbox, PUT, {"jobId": "A"}, key="k").status_code == 409


def test_starting_an_order_under_two_keys_is_a_violation_and_making_a_record_again_is_none(sandbox, case):
    for key in "ab":
        assert post(sandbox, PUT, records(), key=key).json() == DONE
    assert sandbox.state()["violations"] == []
    body = case(1)["expect"]["bpm"][0]
    for key in "cd":
        assert post(sandbox, START, body, key=key).json()["code"] == 200
    assert [found["kind"] for found in sandbox.state()["violations"]] == ["started_twice"]
    assert sandbox.state()["counts"]["violations"] == 1


def test_a_missing_key_is_a_bad_request(sandbox):
    answer = requests.post(sandbox.url + PUT, json=records(), timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (400, 400)
    assert sandbox.state()["records"] == []


def test_a_look_up_again_is_answered_from_what_is_held_now(sandbox):
    query = {"jobId": RECORD["jobId"]}
    assert post(sandbox, QUERY, query, key="k").json()["result"] == []
    post(sandbox, PUT, records())
    assert post(sandbox, QUERY, query, key="k").json()["result"] == [RECORD]


def test_many_at_once_have_one_effect(sandbox, case):
    body = case(1)["expect"]["bpm"][0]
    at_once(*[lambda: post(sandbox, START, body, key="k")] * 12)
    state = sandbox.state()
    assert (len(state["processes"]), state["counts"]["repeats"]) == (1, 11)
