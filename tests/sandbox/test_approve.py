"""`POST /approve` makes the sandbox send BPM's signed callback, only to this machine (contract section 3.6)."""

import hashlib
import hmac
import json
import re

import pytest
import requests

from tests.harness.ports import free_port
from tests.sandbox.bodies import START, post


@pytest.fixture
def desk(httpserver):
    """An HTTP server that takes the place of the order desk, at `url`."""
    answer = {"code": 200, "message": "成功"}
    httpserver.expect_request("/api/bpm/approvals", method="POST").respond_with_json(answer)
    httpserver.url = httpserver.url_for("/api/bpm/approvals")
    return httpserver


def approve(sandbox, **asked):
    return requests.post(f"{sandbox.url}/approve", json=asked, timeout=5)


def test_a_finished_callback_is_signed_and_sent(sandbox, desk, case, settings):
    post(sandbox, START, case(2)["expect"]["bpm"][0])
    answer = approve(sandbox, code="100A230920170127001", result="pass", url=desk.url).json()
    [(request, _)] = desk.log
    secret = settings.BPM_CALLBACK_SECRET.encode()
    assert request.headers["X-Signature"] == hmac.new(secret, request.data, hashlib.sha256).hexdigest()
    sent = json.loads(request.data)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", sent.pop("time"))
    assert sent == {
        "recordId": "bpm-1-1",
        "code": "100A230920170127001",
        "node": "sa-review",
        "nodeName": "政企SA审批",
        "result": "pass",
        "operator": "sandbox",
        "opinion": "同意",
        "finished": True,
    }
    assert (answer["status"], answer["answer"]) == (200, {"code": 200, "message": "成功"})
    assert answer["sent"].items() >= sent.items()


def test_each_callback_has_a_number_of_its_own(sandbox, desk):
    sent = [approve(sandbox, code="A", result=result, url=desk.url).json()["sent"] for result in ("return", "reject")]
    assert [callback["recordId"] for callback in sent] == ["bpm-0-1", "bpm-0-2"]
    assert [callback["finished"] for callback in sent] == [False, True]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://10.0.0.1/",
        "ftp://127.0.0.1/",
        "http://127.0.0.1.example.com/",
        "x",
        None,
        "http://example.com\\@127.0.0.1/",
    ],
)
def test_it_goes_to_this_machine_only(sandbox, url):
    answer = approve(sandbox, code="A", result="pass", url=url)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("url: ")


@pytest.mark.parametrize("change, member", [({"code": ""}, "code"), ({"result": "ok"}, "result")])
def test_a_bad_member_is_named(sandbox, desk, change, member):
    answer = approve(sandbox, **{"code": "A", "result": "pass", "url": desk.url, **change})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"{member}: ")
    assert desk.log == []


def test_nobody_there_is_told(sandbox):
    url = f"http://127.0.0.1:{free_port()}/api/bpm/approvals"
    assert approve(sandbox, code="A", result="pass", url=url).status_code == 502
