"""The three acceptance cases (contract 3), compared letter by letter, through endpoint, delivery and partners."""

import json

import pytest

from notifications.models import Contact
from orders.models import TrialUsage
from tests.files.books import book, write

BILLING, BPM = "/bigdata/productInfos", "/bpm/flows/start"


@pytest.fixture
def sandbox(sandbox_over_http):
    return sandbox_over_http


def billing(desk) -> list[list[dict]]:
    return [body["productInfos"] for body in desk.sent(BILLING)]


def test_case_1_first_activation_starting_today(desk, case):
    one = case(1)
    desk.play_case(one)
    assert billing(desk)[1:] == one["expect"]["billing"]
    assert desk.sent(BPM) == one["expect"]["bpm"]
    assert TrialUsage.objects.get().data_flow == one["expect"]["trial_flow"]["stored"]
    assert desk.order(one["content"]["OrderNum"]).state == "active"
    assert desk.order(one["content"]["BizRequest"]).state == "converted"


def test_case_2_subsequent_activation_billed_after_approval(desk, case, settings):
    one, two = case(1), case(2)
    contact = two["contacts"][0]
    Contact.objects.create(attribution_id=contact.pop("attribution"), **contact)
    for name in two["files"]:
        write(settings.ATTACHMENT_DIR, name, book())
    desk.play_case(one)
    before = len(billing(desk))
    desk.play_case(two)
    number = two["content"]["OrderNum"]
    assert desk.sent(BPM)[1:] == two["expect"]["bpm"]
    assert len(billing(desk)) == before
    assert desk.order(number).state == "awaiting_approval"

    desk.at(two["expect"]["approval_clock"])
    assert approve(desk, two["expect"]["approval"]).json() == {"code": 200, "message": "成功"}
    desk.deliver()
    assert billing(desk)[before:] == two["expect"]["billing_after_approval"]
    assert desk.order(number).state == "active"


def approve(desk, record: dict):
    import hashlib
    import hmac

    body = json.dumps(record, ensure_ascii=False).encode()
    signature = hmac.new(b"test-callback-secret", body, hashlib.sha256).hexdigest()
    return desk.client.post(
        "/api/bpm/approvals", body, content_type="application/json", headers={"X-Signature": signature}
    )


def test_case_3_first_activation_starting_later(desk, case):
    three = case(3)
    desk.play_case(three)
    number, trial = three["content"]["OrderNum"], three["content"]["BizRequest"]
    sent = billing(desk)
    assert sent[2:] == three["expect"]["billing"]
    assert desk.sent(BPM) == three["expect"]["bpm"]
    standing = desk.standing(number)
    assert standing["state"] == "scheduled"
    assert standing["schedule"]["name"] == three["expect"]["schedule"]["name"]
    assert standing["schedule"]["next_run"] == "2023-09-30T00:00:00+08:00"

    desk.at(three["expect"]["at_start_clock"])
    from orders.activation import run_job

    run_job(number)
    desk.deliver()
    made = {entry["domain"]: entry["createTime"] for body in sent[:2] for entry in body}
    expected = three["expect"]["billing_at_start"]
    for entry in expected[0]:
        entry["createTime"] = made[entry["domain"]]
    assert billing(desk)[3:] == expected
    assert (desk.order(number).state, desk.order(trial).state) == ("active", "converted")


@pytest.mark.parametrize("number", [1, 3])
def test_the_same_case_again_changes_nothing(desk, case, number):
    once = case(number)
    desk.play_case(once)
    calls = len(desk.sandbox.calls())
    first = desk.order(once["content"]["OrderNum"]).trans_idh
    assert desk.post(once["content"])["transIDH"] == first
    desk.deliver()
    assert len(desk.sandbox.calls()) == calls
