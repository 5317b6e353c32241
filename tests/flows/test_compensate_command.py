"""`compensate ORDER --reason TEXT [--by NAME]` (contract section 5)."""

import re

import pytest
from django.core.management import CommandError, call_command

from orders.models import Incident
from tests.flows.conftest import BILLING, DELETE
from tests.flows.contents import activation, change, trial, withdrawal


def run(*words: str) -> None:
    call_command("compensate", *words)


def test_it_deletes_an_orders_records_and_says_so(desk, capsys, active):
    run("A1", "--reason", "billed by mistake", "--by", "lisi")
    assert capsys.readouterr().out == "A1: compensation begun by command:lisi (state compensating)\n"
    desk.deliver()
    assert (desk.state("A1"), desk.state("T1")) == ("failed", "trialing")
    assert len(desk.sent(DELETE)) == 1
    assert (desk.alive_there("A1"), desk.alive_there("T1")) == ([], ["a.example.com"])
    assert desk.events("A1", "compensated") == [{"reason": "billed by mistake"}]


def test_it_works_on_a_subsequent_and_on_a_scheduled_one(desk):
    desk.play(trial(), activation("A1", start="20230930"), activation("A2", "x.example.com"))
    desk.decided("A2")
    desk.command("compensate", "A2", "--reason", "x")
    assert (desk.state("A2"), desk.state("A1")) == ("failed", "scheduled")
    desk.command("compensate", "A1", "--reason", "x")
    assert desk.state("A1") == "failed"
    assert desk.standing("A1")["schedule"] is None


REFUSED = [
    (["T1", "--reason", "x"], "only activations are compensated"),
    (["C1", "--reason", "x"], "only activations are compensated"),
    (["A9", "--reason", "x"], "order A9 is unknown"),
    (["A2", "--reason", "x"], "nothing of order A2 was sent to the big-data side (state awaiting_approval)"),
    (["A3", "--reason", "x"], "nothing of order A3 was sent to the big-data side (state held)"),
    (["A4", "--reason", "x"], "order A4 is undone already (state withdrawn)"),
    (["A1", "--reason", "  "], "a reason is needed"),
    (["A1"], "--reason"),
]


def test_it_refuses_with_one_clear_line(desk):
    desk.play(trial(), change("C1", "a.example.com", "b.example.com"), activation("A1"))
    desk.play(activation("A2", "x.example.com"), activation("A3", of="T9"), activation("A4", "y.example.com"))
    desk.play(withdrawal("A4"))
    for words, why in REFUSED:
        with pytest.raises(CommandError, match=re.escape(why)):
            run(*words)
        assert (desk.sent(DELETE), desk.state("A1")) == ([], "active")
    run("A1", "--reason", "x")
    with pytest.raises(CommandError, match="undone already"):
        run("A1", "--reason", "x")


def failed_on_its_day(desk):
    desk.play(trial(), activation("A1", start="20230921"))
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.sweep("2023-09-21 00:00:00")


def bpm_in_the_air(desk, **answer):
    """BPM has been called, and answers only after staff compensated the order."""
    desk.play(trial())
    desk.post(activation("A1"))
    work = desk.in_the_air()
    run("A1", "--reason", "x")
    desk.end(work, **answer)


def bpm_refuses_late(desk):
    bpm_in_the_air(desk, result="refused", code="code_400", message="no")


def bpm_is_silent(desk):
    bpm_in_the_air(desk, result="retry", code="timeout", unknown=True)


@pytest.mark.parametrize(
    "arrange",
    [
        lambda desk: desk.play(trial(), activation("A1")),
        lambda desk: desk.play(trial(), activation("A1", start="20230930")),
        failed_on_its_day,
        bpm_refuses_late,
        bpm_is_silent,
    ],
    ids=["active", "scheduled", "failed on its day", "BPM refuses meanwhile", "BPM silent meanwhile"],
)
def test_it_ends_failed_in_an_open_incident_and_no_step_stands_failed_without_one(desk, settings, arrange):
    """Contract 3.8: an order is failed only if an open incident stopped it. The compensated order ends failed with an
    open incident, and each failed step has an open incident too."""
    settings.DISPATCH_RETRY_SECONDS = []
    arrange(desk)
    if desk.state("A1") != "compensating":
        run("A1", "--reason", "billed twice")
    desk.wait_out()
    assert desk.state("A1") == "failed"
    assert "compensated" in desk.troubles("A1")
    stopped = {row["step"] for row in desk.standing("A1")["incidents"]}
    assert {row["name"] for row in desk.standing("A1")["steps"] if row["status"] == "failed"} <= stopped


@pytest.mark.parametrize("after, state", [("resend", "active"), ("withdrawal", "withdrawn")])
def test_its_incident_is_over_when_the_order_is_sent_anew_or_withdrawn(desk, after, state, active):
    desk.command("compensate", "A1", "--reason", "x")
    assert Incident.objects.get().state == "open"
    if after == "resend":
        call_command("resend", "A1")
    else:
        desk.post(withdrawal("A1"))
    desk.deliver()
    assert (desk.state("A1"), desk.troubles("A1"), Incident.objects.get().state) == (state, [], "resolved")
    assert (desk.mails("A1", "mail_incident"), desk.mails("A1", "mail_incident_over")) == (1, 1)


def test_an_undoing_that_fails_half_way_goes_on_by_resend(desk, active):
    """One undo step is refused: the order stays `compensating`, and the step has its own incident. After a resend the
    order is failed, as `compensate` intends."""
    desk.sandbox.fault(path=DELETE, kind="refusal", message="话单已锁定")
    desk.command("compensate", "A1", "--reason", "billed twice")
    assert desk.state("A1") == "compensating"
    assert sorted(desk.troubles("A1")) == ["code_400", "compensated"]
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.troubles("A1"), desk.alive_there("A1")) == ("failed", ["compensated"], [])
