"""Callbacks of BPM that are refused are kept and listed with the reason. They are masked, limited in number, and
removed by `prune` (contract 3.6).
"""

import datetime
import hashlib
import json

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from integrations.bboss import caller_limits
from integrations.bpm.callback_signature import sign
from integrations.models import BpmCallback
from integrations.partners.profile import read_profile
from orders.history.pruning import prune
from tests.bpm_messages import URL, approval

SECRET = "test-callback-secret"
NUMBER = "100A230920170127001"
RECORD = approval(NUMBER)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_strangers_yet():
    caller_limits.strangers.clear()


def call(body=RECORD, secret=SECRET, **extra):
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Client(**extra).post(URL, raw, content_type="application/json", headers={"X-Signature": sign(raw, secret)})


def test_what_is_received_is_not_kept(order):
    assert call().status_code == 200
    assert not BpmCallback.objects.exists()


def test_a_refused_one_is_kept_with_reason_place_and_order(order):
    raw = json.dumps(RECORD | {"result": "ok"}, ensure_ascii=False).encode()
    assert call(raw, REMOTE_ADDR="10.1.2.3").status_code == 400
    row = BpmCallback.objects.get()
    assert (row.http_status, row.remote_address, row.order_number, row.signed) == (400, "10.1.2.3", NUMBER, True)
    assert row.why == "result: must be one of pass, reject, return"
    assert (row.length, row.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
    assert json.loads(row.body) == RECORD | {"result": "ok"}


@pytest.mark.parametrize(
    "body, secret, status",
    [
        (RECORD, "guessed", 401),
        (approval("A-1"), SECRET, 404),
        (b"{", SECRET, 400),
        (b"\xff\x00\xd8", SECRET, 400),
        ({**RECORD, "opinion": "a\0b"}, SECRET, 400),
        (b" " * (2 * 1024 * 1024 + 1), SECRET, 413),
    ],
)
def test_each_refusal_is_kept(order, body, secret, status):
    assert call(body, secret).status_code == status
    row = BpmCallback.objects.get()
    assert (row.http_status, bool(row.why)) == (status, True)


def test_another_body_for_a_record_is_kept(order):
    call()
    assert call(RECORD | {"result": "reject"}).status_code == 409
    assert BpmCallback.objects.get().http_status == 409


def test_an_error_of_ours_is_not_kept(order, monkeypatch):
    def fail(**record):
        raise OperationalError("away")

    monkeypatch.setattr("integrations.bpm.callback.receive_approval", fail)
    assert call().status_code == 503
    assert not BpmCallback.objects.exists()


def test_the_answer_does_not_hang_on_the_keeping(order, monkeypatch):
    def fail(self, *args, **kwargs):
        raise OperationalError("no such table")

    monkeypatch.setattr(BpmCallback, "save", fail)
    assert call(secret="guessed").status_code == 401


def test_strangers_fill_no_disk_and_crowd_out_nobody(order, settings):
    settings.BBOSS_UNSIGNED_RATE = "2/hour"
    big = RECORD | {"opinion": "x" * 100_000}
    assert [call(big, "guessed").status_code for _ in range(5)] == [401] * 5
    assert [len(row.body) <= 4096 for row in BpmCallback.objects.all()] == [True, True]
    assert [call(approval("A-1")).status_code for _ in range(5)] == [404] * 5
    assert BpmCallback.objects.filter(signed=True).count() == 2


def test_secrets_are_masked_under_our_names_and_theirs(order, settings):
    settings.PARTNERS = read_profile(
        '[bboss]\nrename = { reqSign = "sign" }\n[bpm.callback]\nheader = "X-Auth"\ncheck = "token"'
    )
    body = {"code": NUMBER, "sign": "s-1", "reqSign": "s-2", "x-auth": "s-3", "data": [{"authToken": "s-4"}]}
    call(body | {"opinion": f"it is {SECRET}", "assignee": "li"})
    kept = json.loads(BpmCallback.objects.get().body)
    assert kept == {
        **{"code": NUMBER, "sign": "***", "reqSign": "***", "x-auth": "***", "data": [{"authToken": "***"}]},
        **{"opinion": "it is ***", "assignee": "li"},
    }


def test_they_are_pruned_as_refused_messages_are(order):
    call(approval("A-1"))
    call(secret="guessed")
    BpmCallback.objects.update(received_at=timezone.now() - datetime.timedelta(days=40))
    now = timezone.now()
    prune(
        callbacks=BpmCallback,
        before=now - datetime.timedelta(days=60),
        refused_before=now - datetime.timedelta(days=30),
        by="x",
        now=now,
    )
    assert [row.signed for row in BpmCallback.objects.all()] == [True]
    prune(callbacks=BpmCallback, before=now - datetime.timedelta(days=30), by="x", now=now)
    assert not BpmCallback.objects.exists()
