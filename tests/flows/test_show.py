"""`show` prints an order's state and its reasons, and /readyz those of the desk (contract section 5)."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.utils.translation import override

from orders.texts.incident_texts import cause_of
from tests import factories as make
from tests.flows import contents
from tests.flows.test_breaker import fail_until_open, quick_breaker, trial  # noqa: F401  a fixture

KEYS = [
    "order",
    "kind",
    "state",
    "first",
    "attribution",
    "start",
    "held_because",
    "steps",
    "billing",
    "bpm_process",
    "incidents",
    "approvals",
    "schedule",
    "erased_at",
]


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
    desk.play(trial("T1"))
    text = show(capsys, "T1")
    assert "T1  试用单 Trial order  失败 Failed (failed)" in text
    assert "失败 failed        下发试用话单 Create trial records (create_trial_billing) 1 attempt — code_400" in text
    assert "incident bigdata create_trial_billing code_400" in text
    assert "域名未备案" in text
    assert "The partner finds something in the order wrong" in text
    with override("zh-hans"):
        assert str(cause_of("code_400").next) in text
    desk.post(contents.change("C1", "n.example.com"))
    text = show(capsys, "C1")
    assert "trial T1  失败 Failed (failed)" in text
    assert "  waits for trial T1 (create_trial_billing: failed)\n" in text


@pytest.mark.parametrize("source, named", [("staff", "王小明"), ("bpm", "staff:wang")])
def test_an_approval_names_its_operator_as_the_pages_do(db, capsys, source, named):
    make.UserFactory(username="wang", display_name="王小明")
    order = make.ApprovalRecordFactory(source=source, operator="staff:wang").order
    assert named in show(capsys, order.number)
    assert [row["operator"] for row in json.loads(show(capsys, order.number, "--json"))["approvals"]] == [named]


def test_a_partner_that_is_down_is_named(desk, quick_breaker, capsys, client):  # noqa: F811
    fail_until_open(desk)
    assert "partner bigdata is down; its calls wait" in show(capsys, "T0")
    assert client.get("/readyz").json()["open_breakers"] == ["bigdata"]


def test_an_unknown_order_is_one_line(db):
    with pytest.raises(CommandError, match="order NOBODY is unknown"):
        call_command("show", "NOBODY")


def test_the_end_of_a_number_suffices_where_only_one_order_has_it(desk, capsys):
    for number in ("100A-7001", "100A-8001", "100A-8002"):
        desk.post(trial(number))
    told = show(capsys, "8002")
    assert told.startswith("100A-8002 ")
    assert "  customer 北京示例科技 100A23100079275183" in told
    with pytest.raises(CommandError, match="several orders end in 001: 100A-7001, 100A-8001$"):
        show(capsys, "001")
    with pytest.raises(CommandError, match="order 9 is unknown"):
        show(capsys, "9")
    with pytest.raises(CommandError, match="order  is unknown"):
        show(capsys, "")


def test_many_candidates_are_cut(desk, capsys):
    for place in range(12):
        desk.post(trial(f"{place:02d}-X1"))
    with pytest.raises(CommandError, match="00-X1, .*, 09-X1 and more$"):
        show(capsys, "X1")


def held_by_claim(desk):
    desk.play(contents.trial(), contents.activation("A0"), contents.change("X", "n.example.com"))


def behind_an_undoing(desk):
    desk.play(contents.trial(), contents.activation("A0"))
    desk.sandbox.fault(path="/bigdata/productInfos/delete", kind="refusal")
    desk.play(contents.withdrawal("A0"), contents.activation("X"))


def behind_a_held_trial(desk):
    desk.play(contents.trial(EnterpriseID="000"), contents.activation("X"))


def behind_a_failed_step_of_another(desk):
    desk.sandbox.fault(path="/bigdata/productInfos", kind="refusal")
    desk.play(contents.trial(), contents.activation("X"))


WAITING = {
    "no trial yet": (lambda desk: desk.play(contents.activation("X")), "trial T1, which has not arrived"),
    "its trial is held": (behind_a_held_trial, "trial T1 (held: attribution_unknown)"),
    "an activation has the trial": (held_by_claim, "activation A0 (active), which holds trial T1"),
    "an activation is being undone": (behind_an_undoing, "activation A0 (compensating), which holds trial T1"),
    "its trial failed": (behind_a_failed_step_of_another, "trial T1 (create_trial_billing: failed)"),
    "BPM": (
        lambda desk: desk.play(contents.trial(), contents.activation("A0"), contents.activation("X", "x.example.com")),
        "BPM's approval",
    ),
    "its day": (
        lambda desk: desk.play(contents.trial(), contents.activation("X", start="20230930")),
        "its day, 2023-09-30T00:00:00+08:00",
    ),
}


@pytest.mark.parametrize("situation", WAITING)
def test_it_names_what_the_order_waits_for(desk, capsys, situation):
    arrange, name = WAITING[situation]
    arrange(desk)
    waits = [line for line in show(capsys, "X").splitlines() if "waits for" in line]
    assert waits == [f"  waits for {name}"]


def test_an_order_that_waits_for_nobody_says_nothing_of_it(desk, capsys):
    desk.play(contents.trial(), contents.activation("A1"))
    assert "waits for" not in show(capsys, "A1")


def test_an_incident_of_the_whole_order_leaves_no_hole(desk, capsys):
    """An incident of a whole order has no step and no detail. Its line has no empty places."""
    desk.play(contents.activation("A1"))
    lines = show(capsys, "A1").splitlines()
    assert "  incident order trial_unknown" in lines
    assert "  held because 试用单尚未到达 its trial has not arrived yet (trial_unknown)" in lines
