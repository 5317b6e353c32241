"""Derived keys, and a partner that has processed the same key before with other bytes (contract 3.5, 409)."""

import uuid

import pytest
from django.utils import timezone

from orders.actions.accept import accept
from orders.actions.take import take
from orders.outbox.enqueue import derived_key
from orders.texts.errors import NotAllowedError
from tests.flows.conftest import BILLING, BPM
from tests.flows.contents import activation, change, trial

A, B = "a.example.com", "b.example.com"
WHO = {"reason": "已与大数据侧核对", "by": "command:test"}


def test_three_keys_to_the_letter():
    """A derived key is the UUIDv5, in the URL name space, of domain, node, environment, order number, step and n."""
    number = "100A230920170126001"
    assert [str(derived_key(number, step, n)) for step, n in KEYS] == list(KEYS.values())


KEYS = {
    ("create_billing", 1): "a1812aa9-2ef7-5daf-bf35-52b537de788e",
    ("cancel_trial_billing", 1): "0b3e76d3-2bcc-5acd-9259-e333c4852799",
    ("start_bpm", 2): "e5f4e007-d7e1-53d4-afd2-4f92dd725eb9",
}


def test_creates_cancels_and_bpm_have_them_and_each_dispatch_of_a_step_another_one(desk):
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(trial("T1", A))
    desk.command("resend", "T1")
    desk.play(change("C1", B), activation("A1"))
    keys = [call["key"] for path in (BILLING, BPM) for call in desk.sandbox.calls(path=path)]
    steps = [
        ("T1", "create_trial_billing", 1),
        ("T1", "create_trial_billing", 2),
        ("C1", "cancel_trial_billing", 1),
        ("C1", "create_trial_billing", 1),
        ("A1", "cancel_trial_billing", 1),
        ("A1", "create_billing", 1),
        ("A1", "start_bpm", 1),
    ]
    assert keys == [str(derived_key(*step)) for step in steps]


def acted(desk, number: str, step: str, path: str, body: dict) -> None:
    """The partner processes a call with one of our keys, as if the call came before a restore of our database."""
    from integrations.sandbox.http_messages import SandboxRequest, compact

    key = str(derived_key(number, step, 1))
    answer = desk.sandbox.partners.answer(SandboxRequest(path, key, uuid.uuid4().hex, compact(body).encode()))
    assert answer.status == 200, answer.body


def record(number: str, domain: str, **more) -> dict:
    return {
        "billingMethod": "1",
        "businessType": "1",
        "cancelStatus": "1",
        "cancelTime": "20330919120000",
        "createTime": "20230919120000",
        "domain": domain,
        "enterpriseId": "100A23100079275183",
        "enterpriseName": "北京示例科技",
        "infoType": "1",
        "jobId": number,
        "productId": "1",
        "province": "100",
    } | more


def forget_violations(desk):
    desk.sandbox.partners.store._run("DELETE FROM violations")


def test_where_the_records_are_as_meant_the_step_is_done_with_the_partners_times(desk):
    acted(desk, "T1", "create_trial_billing", BILLING, {"productInfos": [record("T1", A)]})
    desk.play(trial("T1", A))
    assert (desk.state("T1"), desk.troubles("T1"), desk.records("T1")) == ("trialing", [], {A: "live"})
    [row] = desk.order("T1").billing_records.all()
    assert row.create_time.isoformat() == "2023-09-19T04:00:00+00:00"
    assert desk.events("T1", "acted_before") == [{"step": "create_trial_billing"}]
    forget_violations(desk)


def test_a_trial_that_somebody_cancelled_waits_for_the_order_that_did(desk):
    gone = record("T1", A, cancelStatus="2", cancelTime="20230919130000")
    acted(desk, "T1", "create_trial_billing", BILLING, {"productInfos": [gone]})
    desk.play(trial("T1", A))
    assert (desk.records("T1"), desk.troubles("T1")) == ({A: "cancelled"}, ["acted_before"])
    desk.play(activation("A1"))
    assert (desk.state("A1"), desk.state("T1"), desk.troubles("T1")) == ("active", "converted", [])
    forget_violations(desk)


def test_anything_else_stops_the_step_until_staff_take_or_resend(desk):
    mine = {"infoType": "2", "productId": "P-A1"}
    acted(desk, "A1", "create_billing", BILLING, {"productInfos": [record("A1", B, **mine)]})
    desk.play(trial("T1", A), activation("A1"))
    assert (desk.state("A1"), desk.troubles("A1")) == ("failed", ["acted_before"])
    assert desk.alive_there("A1") == [B]
    with pytest.raises(NotAllowedError, match="resend it, or withdraw"):
        take(number="A1", now=timezone.now(), **WHO)
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.troubles("A1"), desk.alive_there("A1")) == ("active", [], [A, B])
    forget_violations(desk)


def test_the_partners_books_are_taken_where_they_are_right(desk):
    mine = {"infoType": "2", "productId": "P-A1"}
    acted(desk, "A1", "create_billing", BILLING, {"productInfos": [record("A1", B, **mine)]})
    desk.play(trial("T1", A), activation("A1"))
    desk.sandbox.partners.store.put_record(record("A1", A, **mine))
    desk.staff(take, "A1")
    assert (desk.state("A1"), desk.records("A1")[A], desk.troubles("A1")) == ("active", "live", [])
    forget_violations(desk)


def test_a_process_started_before_is_accepted_until_a_callback(desk, active):
    body = desk.sent(BPM)[0]
    body["data"]["tyywrwlcdx"] |= {"code": "A2", "createDate": "2023-09-19 12:00:00"}
    acted(desk, "A2", "start_bpm", BPM, body)
    desk.play(activation("A2", B))
    assert (desk.state("A2"), desk.troubles("A2")) == ("awaiting_approval", ["acted_before"])
    desk.decided("A2")
    assert (desk.state("A2"), desk.troubles("A2")) == ("active", [])
    forget_violations(desk)


def test_it_is_accepted_by_staff(desk, active):
    desk.sandbox.fault(path=BPM, kind="409")
    desk.play(activation("A2", B))
    assert desk.troubles("A2") == ["acted_before"]
    accept(number="A2", now=timezone.now(), **WHO)
    assert desk.troubles("A2") == []
    [row] = desk.order("A2").troubles.all()
    assert (row.accepted_by, row.reason) == ("command:test", "已与大数据侧核对")
