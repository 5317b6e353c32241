"""`show` and /readyz tell where an order stands and why (contract section 5)."""

import json

import pytest
from django.core.management import CommandError, call_command

from tests.flows.test_breaker import fail_until_open, quick_breaker, trial  # noqa: F401  a fixture

KEYS = ["order", "kind", "state", "first", "attribution", "start", "held_because", "steps", "billing", "bpm_process",
        "incidents", "approvals", "schedule"]  # fmt: skip


def show(capsys, *words) -> str:
    call_command("show", *words)
    return capsys.readouterr().out


def test_json_has_the_contracts_keys(desk, case, capsys):
    desk.play_case(case(3))
    facts = json.loads(show(capsys, case(3)["content"]["OrderNum"], "--json"))
    assert list(facts) == KEYS
    assert {tuple(step) for step in facts["steps"]} == {("name", "channel", "status", "attempts", "next_try", "error")}
    assert {tuple(row) for row in facts["billing"]} == {("jobId", "productId", "domain", "infoType", "state")}
    assert facts["bpm_process"].startswith("bpm-")


def test_text_names_the_cause(desk, capsys):
    desk.sandbox.fault(path="/bigdata/productInfos", kind="refusal", count=1, message="域名未备案")
    desk.post(trial("T1"))
    desk.deliver()
    text = show(capsys, "T1")
    assert "Failed" in text
    assert "incident bigdata create_trial_billing code_400" in text
    assert "域名未备案" in text


def test_a_partner_that_is_down_is_named(desk, quick_breaker, capsys, client):  # noqa: F811
    fail_until_open(desk)
    assert "partner bigdata is down; its calls wait" in show(capsys, "T0")
    assert client.get("/readyz").json()["open_breakers"] == ["bigdata"]


def test_an_unknown_order_is_one_line(db):
    with pytest.raises(CommandError, match="order NOBODY is unknown"):
        call_command("show", "NOBODY")


def test_an_order_that_waits_names_what_it_waits_for(desk, capsys):
    desk.sandbox.fault(path="/bigdata/productInfos", kind="refusal", count=1)
    desk.post(trial("T1"))
    desk.deliver()
    desk.post({"OrderType": "2", "OrderNum": "C1", "BizRequest": "T1", "ProvContent": [{"ProvReq": "n.example.com"}]})
    text = show(capsys, "C1")
    assert "trial T1 (Failed)" in text
    assert "waits for T1: create_trial_billing (failed)" in text
