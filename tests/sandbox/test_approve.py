"""`POST /approve`: BPM's callback, signed, to this machine only (contract section 3.6)."""

import hashlib
import hmac
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from tests.sandbox.bodies import START, post


class Desk(BaseHTTPRequestHandler):
    """Replaces the order desk and keeps what came."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((self.path, self.headers["X-Signature"], body))
        answer = b'{"code": 200, "message": "\xe6\x88\x90\xe5\x8a\x9f"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


@pytest.fixture
def desk():
    server = HTTPServer(("127.0.0.1", 0), Desk)
    server.came = []
    server.url = f"http://127.0.0.1:{server.server_port}/api/bpm/approvals"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def approve(sandbox, **asked):
    return requests.post(f"{sandbox.url}/approve", json=asked, timeout=5)


def test_a_finished_callback_is_signed_and_sent(sandbox, desk, case, settings):
    post(sandbox, START, case(2)["expect"]["bpm"][0])
    answer = approve(sandbox, code="100A230920170127001", result="pass", url=desk.url).json()
    [(path, signature, raw)] = desk.came
    secret = settings.BPM_CALLBACK_SECRET.encode()
    assert signature == hmac.new(secret, raw, hashlib.sha256).hexdigest()
    sent = json.loads(raw)
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
    "url", ["http://example.com/", "http://10.0.0.1/", "ftp://127.0.0.1/", "http://127.0.0.1.example.com/", "x", None]
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
    assert desk.came == []


def test_nobody_there_is_told(sandbox, desk):
    desk.shutdown()
    desk.server_close()
    assert approve(sandbox, code="A", result="pass", url=desk.url).status_code == 502
