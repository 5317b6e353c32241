"""The answers of contract 2.3 to repeated orders, withdrawals and our own faults."""

import datetime
import json

import pytest
from django.db import OperationalError, transaction
from psycopg.errors import DeadlockDetected

from integrations.bboss import views
from orders.intake import receive
from orders.texts.errors import OrderConflictError
from tests.bboss.conftest import ACTIVATION, MEMBERS, TRIAL, envelope


def test_accepted(post, kept):
    got = post(envelope(cutOffDay="20230919"))
    assert (got.status, got.code, got.desc) == (200, "00000", "Success")
    assert list(got.body) == MEMBERS
    assert got.body["transIDO"] == "t1"
    assert got.body["cutOffDay"] == "20230919"
    assert got.body["providePartyID"] == "CDNP9950"
    assert got.body["transIDHTime"] == "20230920185436"
    assert got.body["result"].startswith('{"OrderNum":"100T1","BizCode":"0000","BizDesc":"')
    (message,) = kept()
    assert (message.rsp_code, message.biz_code, message.order_number) == ("00000", "0000", "100T1")
    assert message.trans_idh == got.body["transIDH"]
    assert message.hint == ""


@pytest.mark.parametrize("times, code, status", [(2, "00000", 200), (3, "20000", 503)])
def test_the_victim_of_a_deadlock_is_tried_again(post, kept, monkeypatch, times, code, status):
    """A transaction that is the victim of a deadlock is tried again. If it is the victim too often, BBOSS is asked to
    send the message again."""
    accept, left = receive._accept, [DeadlockDetected()] * times

    def victim(*args, **more):
        order = accept(*args, **more)
        if left:
            raise OperationalError("deadlock detected") from left.pop()
        return order

    monkeypatch.setattr(receive, "_accept", victim)
    got = post(envelope())
    assert (got.code, got.status, len(kept())) == (code, status, 1 if code == "00000" else 0)


def test_content_as_a_string_is_the_same_order(post):
    first = post(envelope(json.dumps(TRIAL, indent=2)))
    assert first.code == "00000"
    again = post(envelope(TRIAL, trans_ido="t2"))
    assert (again.code, again.body["transIDH"]) == ("00000", first.body["transIDH"])


def test_the_same_again_gets_the_first_number_and_is_kept(post, kept, clock):
    first = post(envelope())
    clock.shift(3600)
    again = post(envelope())
    assert (again.code, again.body["transIDH"]) == ("00000", first.body["transIDH"])
    assert again.body["transIDHTime"] == "20230920195436"
    assert [message.trans_idh for message in kept()] == [first.body["transIDH"]] * 2


def test_a_trans_ido_with_other_content_is_20002(post, kept):
    post(envelope())
    got = post(envelope(TRIAL | {"OrderNum": "100T2"}))
    assert (got.status, got.code, got.desc, got.body["result"]) == (200, "20002", "Repeat call", "")
    assert kept()[-1].rsp_code == "20002"


def test_a_refused_trans_ido_may_be_used_again(post):
    assert post(envelope({"OrderNum": "!"})).code == "20505"
    assert post(envelope()).code == "00000"


def test_another_content_under_the_number_is_3001(post, kept):
    post(envelope())
    got = post(envelope(TRIAL | {"DataFlow": "9"}, trans_ido="t2"))
    assert (got.status, got.code, got.desc) == (200, "30000", "business failure")
    assert (got.result["OrderNum"], got.result["BizCode"]) == ("100T1", "3001")
    assert (kept()[-1].rsp_code, kept()[-1].biz_code) == ("30000", "3001")


def test_withdrawal_of_an_unknown_number_is_3004(post):
    got = post(envelope({"OrderNum": "100X", "BackFlag": "1"}))
    assert (got.code, got.result["OrderNum"], got.result["BizCode"]) == ("30000", "100X", "3004")


def test_withdrawal(post, kept):
    post(envelope(TRIAL))
    back = {"OrderNum": "100T1", "BackFlag": "1"}
    first = post(envelope(back, trans_ido="t2"))
    assert (first.code, first.result["OrderNum"], first.result["BizCode"]) == ("00000", "100T1", "0000")
    again = post(envelope(back, trans_ido="t3"))
    assert (again.code, again.body["transIDH"]) == ("00000", first.body["transIDH"])
    assert [message.rsp_code for message in kept()] == ["00000"] * 3


def test_what_only_the_core_can_know_is_refused_too(post, kept):
    """Only the database shows that an activation holds a trial that BBOSS withdraws, or that a subsequent activation
    lacks domains. Such messages are refused too."""
    post(envelope(TRIAL))
    post(envelope(ACTIVATION, trans_ido="t2"))
    got = post(envelope({"OrderNum": "100T1", "BackFlag": "1"}, trans_ido="t3"))
    assert (got.code, got.result["OrderNum"], got.result["BizCode"]) == ("30000", "100T1", "3005")
    got = post(envelope(ACTIVATION | {"OrderNum": "100A2"}, trans_ido="t4"))
    assert (got.code, got.desc.split(": ")[:2]) == ("20505", ["Request body parameter invalidate", "ProvContent"])
    assert kept()[-1].rsp_code == "20505"


def test_a_refusal_after_a_rolled_back_save_is_kept_under_its_own_numbers(post, kept, monkeypatch):
    def late(content, *, message, **others):
        with transaction.atomic():
            message.trans_idh = "f" * 32
            message.save(force_insert=True)
            message.pk = 10**9  # as if another message had taken this key meanwhile
            raise OrderConflictError("too late")

    monkeypatch.setattr(views, "receive_order", late)
    got = post(envelope())
    (message,) = kept()
    assert message.pk < 10**9
    assert message.trans_idh == got.body["transIDH"] != "f" * 32
    assert (message.rsp_code, message.biz_code, message.hint) == ("30000", "3001", "too late")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_documents_messages_are_accepted(post, case, clock, number):
    given = case(number)
    clock.move_to(datetime.datetime.fromisoformat(given["clock"]))
    for place, content in enumerate(given.get("setup", [])):
        assert post(envelope(content, trans_ido=f"s{place}")).code == "00000"
    got = post(envelope(given["content"], trans_ido=given["envelope"]["transIDO"], **given["envelope"]))
    assert (got.code, got.body["transIDO"]) == ("00000", given["envelope"]["transIDO"])


def broken(*args, **kwargs):
    raise OperationalError("server closed the connection unexpectedly")


def wrong(*args, **kwargs):
    raise KeyError("a bug of ours")


@pytest.mark.parametrize("fault", [broken, wrong])
def test_our_fault_is_503_with_nothing_stored(post, kept, monkeypatch, fault):
    monkeypatch.setattr(views, "receive_order", fault)
    got = post(envelope())
    assert (got.status, got.code) == (503, "20000")
    assert got.desc == "internal error; nothing was stored, send again"
    assert list(got.body) == MEMBERS
    assert (got.body["transIDO"], got.body["result"]) == ("t1", "")
    assert kept() == []
    monkeypatch.undo()
    assert post(envelope()).code == "00000"


def test_a_refusal_that_cannot_be_kept_is_503(post, kept, monkeypatch):
    monkeypatch.setattr(views, "keep_message", broken)
    assert post(envelope(routeType="09")).code == "20000"


def test_every_answer_has_a_number_of_its_own(post):
    numbers = {post(envelope(routeType="09")).body["transIDH"] for _ in range(5)} | {post(b"").body["transIDH"]}
    assert len(numbers) == 6
    assert all(len(number) == 32 for number in numbers)


def test_times_are_in_shanghai_whatever_the_server_thinks(post, clock):
    clock.move_to(datetime.datetime(2023, 9, 20, 16, 0, 0, tzinfo=datetime.UTC))
    assert post(envelope(timeStamp="20230921000000")).body["transIDHTime"] == "20230921000000"


def test_an_activation_is_accepted_before_its_trial(post):
    assert post(envelope(ACTIVATION)).code == "00000"
