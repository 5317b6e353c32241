"""Hostile inputs that once broke something. Each has a test of its own."""

import hashlib
import hmac
import io
import json
import time

import pytest
from django.conf import settings

from approvals.models import ApprovalRecord
from integrations.bboss.sample_envelope import signed_envelope
from orders.models import InboundMessage, Order
from tests.hostile import valid
from tests.hostile.mutations import BBOSS, BPM

pytestmark = pytest.mark.usefixtures("db", "clock")
TOKEN = settings.BBOSS_ACCESS_TOKENS[0]


def envelope(content=valid.TRIAL_CONTENT, **overrides) -> dict:
    return signed_envelope(content, now=valid.NOW, trans_ido="t1", overrides=overrides)


def order_code(client, members: dict) -> str:
    """Posts the members as they are, and returns the code of the answer."""
    response = client.generic("POST", BBOSS, json.dumps(members).encode(), "application/json")
    return response.json()["response"]["rspCode"]


def send_approval(client, members=valid.APPROVALS["pass"], **meta):
    raw = json.dumps(members).encode()
    signature = hmac.new(b"test-callback-secret", raw, hashlib.sha256).hexdigest()
    return client.generic("POST", BPM, raw, "application/json", HTTP_X_SIGNATURE=signature, **meta)


@pytest.mark.whole
def test_a_long_name_above_many_values_costs_no_more_than_its_size(client):
    tree = {"n" * 1_100_000: dict.fromkeys(map(str, range(70_000)), "v")}
    members = envelope({**valid.TRIAL_CONTENT, **tree})
    began = time.thread_time()
    assert order_code(client, members) == "00000"
    assert time.thread_time() - began < 3


@pytest.mark.parametrize(
    "members",
    [
        {"a": envelope()},
        {"list": [[envelope()]]},
        envelope(json.dumps(envelope())),
        envelope() | {"transIDO": TOKEN},
        envelope(envFlag="1", note=f"my token is {TOKEN}"),
        envelope(note=TOKEN) | {"sign": "0" * 32},
    ],
    ids=["wrapped", "in a list", "as the content", "as the number", "in a text", "in the text that was signed"],
)
def test_a_token_is_not_kept_wherever_it_stands(client, members):
    order_code(client, members)
    message = InboundMessage.objects.get()
    assert TOKEN not in " ".join(str(value) for value in vars(message).values())


def test_a_message_with_a_wrong_signature_and_a_nul_is_kept(client):
    assert order_code(client, envelope(busType="a\0b") | {"sign": "0" * 32}) == "20208"
    hint = InboundMessage.objects.get().hint
    assert "busTypea\\u0000b" in hint
    assert "\0" not in hint


@pytest.mark.parametrize("member", ["BizStart", "BizEnd"])
@pytest.mark.parametrize("day", ["00010101", "09991231", "19691231"])
def test_days_that_the_wire_cannot_carry_are_refused(client, member, day):
    content = valid.TRIAL_CONTENT | {member: day}
    assert order_code(client, envelope(content)) == "20505"
    assert f"{member}: '{day}' lies before 1970" in InboundMessage.objects.get().rsp_desc
    assert not Order.objects.exists()


@pytest.mark.parametrize("length", ["²", "9" * 5000, "abc", "-1"])
def test_an_approval_with_a_length_that_is_none_is_refused_not_our_fault(client, length):
    response = send_approval(client, CONTENT_LENGTH=length)
    assert response.status_code == 401
    assert not ApprovalRecord.objects.exists()


def test_an_unknown_order_is_not_quoted_at_length(client):
    response = send_approval(client, valid.APPROVALS["pass"] | {"code": "x" * 100_000})
    assert response.status_code == 404
    assert len(response.json()["message"]) <= 500


class BadChunks(io.BytesIO):
    """The server's input stream for a broken chunked body."""

    def read(self, *args):
        raise LookupError("a class of the server's own")


@pytest.mark.parametrize("path", [BBOSS, BPM])
def test_what_the_server_cannot_read_is_400(client, path):
    ends = {"wsgi.input": BadChunks(), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    response = client.generic("POST", path, CONTENT_TYPE="application/json", CONTENT_LENGTH="", **ends)
    assert response.status_code == 400
