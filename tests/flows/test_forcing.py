"""`--force` sends an accepted step again, and nothing depends on the answer (contract 3.9, 7)."""

from django.utils import timezone

from orders.replanning.giving_up import give_up
from tests.flows.conftest import BILLING, BPM, DELETE, code_of
from tests.flows.contents import activation, change, trial, withdrawal

A, B = "a.example.com", "b.example.com"


def force(*words) -> int:
    return code_of("resend", *words, "--force")


def test_a_refused_repeat_takes_no_paying_customer_down(desk, active):
    desk.sandbox.fault(path=BILLING, kind="refusal", count=9)
    force("A1", "--channel", "billing")
    desk.deliver()
    assert (desk.state("A1"), desk.alive_there("A1"), desk.records("A1")) == ("active", [A], {A: "live"})
    assert desk.sent(DELETE) == []
    assert set(desk.troubles("A1")) == {"code_400"}


def test_a_repeat_that_is_never_answered_changes_nothing_but_an_incident(desk, settings, active):
    settings.DISPATCH_RETRY_SECONDS = [1]
    desk.sandbox.fault(path=BILLING, kind="503", count=9)
    force("A1", "--channel", "billing")
    desk.wait_out()
    assert (desk.state("A1"), desk.records("A1")) == ("active", {A: "live"})
    assert set(desk.troubles("A1")) == {"http_503"}


def test_billing_is_repeated_under_a_new_key_with_the_times_accepted_last_and_bpm_with_key_and_bytes(desk, active):
    before = desk.held_there("A1")[A]
    desk.clock.shift(3600)
    for channel in ("billing", "bpm"):
        assert force("A1", "--channel", channel) == 0
        desk.deliver()
    calls = [call for call in desk.sandbox.calls(path=BILLING) if "A1" in str(call["body"])]
    assert len({call["key"] for call in calls}) == 2
    assert calls[0]["body"] == calls[1]["body"]
    assert desk.held_there("A1")[A] == before
    one, two = desk.sandbox.calls(path=BPM)
    assert (one["key"], one["body"]) == (two["key"], two["body"])
    assert len(desk.sandbox.state()["processes"]) == 1
    assert desk.state("A1") == "active"


def test_what_a_later_step_touched_is_not_repeated(desk, capsys):
    desk.play(trial("T1", A), change("C1", B))
    assert force("T1") == 1
    assert "a later step touched the same records" in capsys.readouterr().out
    assert len(desk.sandbox.calls(path=BILLING)) == 3


def test_a_withdrawal_waits_for_the_repeat_in_the_air(desk, active):
    force("A1", "--channel", "billing")
    [work] = desk.claim()
    desk.play(withdrawal("A1"))
    assert desk.sent(DELETE) == []
    desk.end(work)
    desk.deliver()
    assert len(desk.sent(DELETE)) == 1
    assert (desk.state("A1"), desk.alive_there("A1"), desk.alive_there("T1")) == ("withdrawn", [], [A])


def test_a_repeat_that_was_refused_can_be_given_up(desk, trialing):
    desk.sandbox.fault(path=BILLING, kind="refusal")
    force("T1")
    desk.deliver()
    desk.play(activation("A1"))
    assert (desk.state("T1"), desk.troubles("T1")) == ("converted", ["code_400"])
    give_up(number="T1", reason="不再需要", by="command:test", now=timezone.now())
    assert (desk.state("T1"), desk.troubles("T1"), desk.alive_there("T1")) == ("converted", [], [])


def test_a_creation_is_not_repeated_once_a_change_gave_its_records_another_end(desk):
    """The change gave the trial's live records another end. A repeated create would set the old end again, so it is
    refused."""
    desk.play(trial("T1", A), change("C1", BizEnd="20251231"))
    ends = desk.held_there("T1")[A]["cancelTime"]
    assert force("T1", "--channel", "billing") == 1
    desk.deliver()
    assert (desk.held_there("T1")[A]["cancelTime"], ends) == ("20251231235959", "20251231235959")
