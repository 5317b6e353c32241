"""`POST /api/bpm/approvals`: which callers are accepted, what is refused with which message, and what a record changes
(contract 3.6).
"""

import io
import json

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import include, path

from approvals.models import ApprovalRecord
from integrations.bpm import callback
from integrations.bpm.callback_signature import is_signed, sign
from orders.texts.errors import OrderUnknownError, RecordConflictError
from tests.bpm_messages import approval
from tests.conftest import shanghai

SECRET = "test-callback-secret"
urlpatterns = [path("api/", include("integrations.urls"))]
# the database is needed for one query: whether it counts as restored
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]
RECORD = approval("100A230920170127001")


def call(body=RECORD, signature=None, method="POST", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    signature = sign(raw, SECRET) if signature is None else signature
    return Client(raise_request_exception=False).generic(
        method, "/api/bpm/approvals", raw, "application/json", headers={"X-Signature": signature, **headers}
    )


@pytest.fixture
def core(monkeypatch):
    """A stand-in for the core function that receives approvals. `core.calls` lists its arguments, and it raises
    `core.error` if set.
    """

    class Core:
        calls, error = [], None

        def receive_approval(self, **record):
            self.calls.append(record)
            if self.error:
                raise self.error
            return True

    core = Core()
    core.calls = []
    monkeypatch.setattr(callback, "receive_approval", core.receive_approval)
    return core


def refused(response, status: int) -> str:
    """Checks the form of a refusal and returns its message."""
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/json"
    assert response.json().keys() == {"code", "message"}
    assert response.json()["code"] == status
    return response.json()["message"]


def test_a_record_reaches_the_core_as_it_was_sent(core):
    response = call()
    assert (response.status_code, response.json()) == (200, {"code": 200, "message": "成功"})
    given = core.calls[0]
    assert len(given.pop("body_hash")) == 64
    assert given == {
        "number": "100A230920170127001",
        "record_id": "bpm-1-1",
        "node": "sa-review",
        "node_name": "政企SA审批",
        "result": "pass",
        "operator": "zhangsan",
        "opinion": "同意",
        "time": shanghai("2023-09-20 19:19:10"),
        "finished": False,
    }


def test_whether_a_body_is_another_is_a_matter_of_content_not_of_layout(core):
    call(json.dumps(RECORD, indent=2).encode())
    call(dict(reversed(RECORD.items())))
    call({**RECORD, "opinion": "不同意"})
    first, second, other = (given["body_hash"] for given in core.calls)
    assert first == second != other


@pytest.mark.parametrize("left_out", ["node", "nodeName", "operator", "opinion"])
@pytest.mark.parametrize("value", ["absent", None, ""])
def test_what_may_be_missing(core, left_out, value):
    record = {name: given for name, given in RECORD.items() if name != left_out}
    assert call(record if value == "absent" else {**record, left_out: value}).status_code == 200


@pytest.mark.parametrize("signature", ["", "0" * 64, "签", sign(b"other", SECRET), sign(b"{}", "other")])
def test_a_wrong_signature_is_401_and_nothing_is_looked_at(core, signature):
    refused(call(b"{}", signature.encode().decode("latin-1")), 401)
    assert core.calls == []


def test_a_signature_counts_in_any_letter_case():
    assert is_signed(b"{}", sign(b"{}", SECRET).upper(), SECRET)


def test_without_a_secret_nobody_is_believed(core, settings):
    settings.BPM_CALLBACK_SECRET = ""
    refused(call(signature=sign(json.dumps(RECORD).encode(), "")), 401)
    assert not is_signed(b"{}", sign(b"{}", ""), "")


@pytest.mark.parametrize(
    "change, named",
    [
        ({"recordId": ...}, "recordId: is missing"),
        ({"recordId": None}, "recordId: must be a string, not null"),
        ({"recordId": ""}, "recordId: must not be empty"),
        ({"recordId": " "}, "recordId: must not be empty"),
        ({"recordId": 17}, "recordId: must be a string"),
        ({"recordId": "x" * 129}, "recordId: is longer than 128 characters"),
        ({"code": ...}, "code: is missing"),
        ({"code": 1}, "code: must be a string"),
        ({"node": 1}, "node: must be a string"),
        ({"node": "x" * 129}, "node: is longer than 128 characters"),
        ({"nodeName": []}, "nodeName: must be a string"),
        ({"operator": "x" * 256}, "operator: is longer than 255 characters"),
        ({"opinion": {}}, "opinion: must be a string"),
        ({"result": ...}, "result: is missing"),
        ({"result": "waive"}, "result: must be one of pass, reject, return"),
        ({"result": "PASS"}, "result: must be one of pass, reject, return"),
        ({"result": True}, "result: must be a string"),
        ({"time": ...}, "time: is missing"),
        ({"time": "20230920191910"}, "time: is not a time YYYY-MM-DD HH:MM:SS"),
        ({"time": "2023-02-30 00:00:00"}, "time: is not a time YYYY-MM-DD HH:MM:SS"),
        ({"time": "2023-09-20 24:00:00"}, "time: is not a time YYYY-MM-DD HH:MM:SS"),
        ({"time": "2023-09-20T19:19:10"}, "time: is not a time YYYY-MM-DD HH:MM:SS"),
        ({"time": "2023-09-20 19:19:10\n"}, "time: is not a time YYYY-MM-DD HH:MM:SS"),
        ({"time": "0001-01-01 00:00:00"}, "time: is not a time YYYY-MM-DD HH:MM:SS"),
        ({"time": "２023-09-20 19:19:10"}, "time: is not a time YYYY-MM-DD HH:MM:SS"),
        ({"finished": ...}, "finished: is missing"),
        ({"finished": "true"}, "finished: must be true or false"),
        ({"finished": 1}, "finished: must be true or false"),
        ({"finished": None}, "finished: must be true or false, not null"),
        ({"finished": True, "result": "return"}, "finished: must be false where result is return"),
        ({"opinion": "a\0b"}, "opinion: must not contain U+0000"),
        ({"extra": [{"deep": ["\0"]}]}, "extra: must not contain U+0000"),
        ({"ex\0tra": 1}, "ex?tra: must not contain U+0000"),
    ],
)
def test_a_bad_member_is_named(core, change, named):
    record = {name: value for name, value in {**RECORD, **change}.items() if value is not ...}
    assert refused(call(record), 400) == named
    assert core.calls == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"code": NaN}',
        b'{"code": "a", "code": "b"}',
        b"[" * 100_000,
        b'{"opinion": "\\ud800"}',
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_no_strict_json_object_is_400(core, body):
    assert refused(call(body), 400).startswith("body: ")


def test_a_body_larger_than_2_mib_is_413(core):
    just = json.dumps({**RECORD, "opinion": ""}).encode()
    fits = {**RECORD, "opinion": "x" * (2 * 1024 * 1024 - len(just))}
    raw = json.dumps(fits).encode()
    assert len(raw) == 2 * 1024 * 1024
    assert call(raw).status_code == 200
    refused(call(raw + b" "), 413)


@pytest.mark.parametrize("size, status", [(0, 200), (2 * 1024 * 1024, 413)])
def test_a_body_without_a_length_is_read_to_its_end(core, size, status):
    raw = json.dumps({**RECORD, "opinion": "x" * size}).encode()
    stream = {"CONTENT_LENGTH": "", "wsgi.input": io.BytesIO(raw), "wsgi.input_terminated": True}
    headers = {"X-Signature": sign(raw, SECRET)}
    response = Client().generic("POST", "/api/bpm/approvals", b"", "application/json", headers=headers, **stream)
    assert response.status_code == status


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_405(core, method):
    response = call(method=method)
    assert response.status_code == 405
    assert method == "HEAD" or refused(response, 405)
    assert response.headers["Allow"] == "POST"


def test_the_answer_is_json_whatever_the_caller_accepts(core):
    assert call(Accept="text/html").json()["code"] == 200


@pytest.mark.parametrize(
    "error, status",
    [
        (OrderUnknownError("order X is unknown"), 404),
        (RecordConflictError("another body"), 409),
        (OperationalError("the database is away"), 503),
        (RuntimeError("nobody foresaw this"), 503),
    ],
)
def test_what_the_core_refuses(core, error, status):
    core.error = error
    message = refused(call(), status)
    assert "foresaw" not in message
    assert "away" not in message


# --- With the real function that receives approvals


@pytest.mark.django_db
def test_the_same_record_again_adds_nothing(order):
    answers = [call().json(), call().json()]
    assert answers == [{"code": 200, "message": "成功"}] * 2
    kept = ApprovalRecord.objects.get()
    assert (kept.record_id, kept.order, kept.time) == ("bpm-1-1", order, shanghai("2023-09-20 19:19:10"))


@pytest.mark.django_db
def test_the_same_record_with_another_body_is_409(order):
    call()
    assert "bpm-1-1" in refused(call({**RECORD, "result": "reject"}), 409)
    assert ApprovalRecord.objects.get().result == "pass"


@pytest.mark.django_db
def test_an_unknown_order_is_404_and_nothing_is_kept(order):
    assert "A-1" in refused(call({**RECORD, "code": "A-1"}), 404)
    assert not ApprovalRecord.objects.exists()


@pytest.mark.django_db
def test_a_return_only_records(order):
    assert call({**RECORD, "result": "return"}).status_code == 200
    order.refresh_from_db()
    assert (ApprovalRecord.objects.get().result, order.decision) == ("return", "")
