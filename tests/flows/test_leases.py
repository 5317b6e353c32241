"""The number of steps that a worker claims at once, and how long it may use its leases (contract 3.9, 10 Leases)."""

import datetime
import time

import pytest
from django.core.management import CommandError, call_command

from integrations.delivery import loop
from orders.models import Attempt, Dispatch
from orders.outbox import leases
from tests.flows.conftest import BILLING, BPM, billing_size
from tests.flows.contents import activation, change, trial, withdrawal

TWO = ("a.example.com", "b.example.com")


def test_a_lease_runs_from_before_the_claim(desk, settings, monkeypatch):
    """The lease counts from before the claim. If the claim takes too long, too little of the lease is left for the
    call, and the step is handed back."""
    settings.DISPATCH_LEASE_SECONDS = settings.PARTNER_TIMEOUT_SECONDS + 6
    really, slow = loop.claim, [1.2]

    def claim(**how):
        work = really(**how)
        time.sleep(slow.pop() if slow else 0)
        return work

    monkeypatch.setattr(loop, "claim", claim)
    desk.play(trial())
    assert list(Attempt.objects.order_by("pk").values_list("outcome", flat=True)) == ["handed_back", "ok"]
    assert desk.state("T1") == "trialing"
    assert len(desk.sent(BILLING)) == 1


def test_the_database_counts_from_the_moment_that_the_worker_names(desk):
    desk.post(trial())
    [work] = desk.claim(lease=60)
    begun = Attempt.objects.get().started_at
    assert work.lease_until == begun + datetime.timedelta(seconds=60)
    assert desk.step("T1", "create_trial_billing").next_try_at == work.lease_until


def test_a_claim_is_bounded_by_records(desk, monkeypatch):
    monkeypatch.setattr(leases, "RECORDS_A_CLAIM", 4)
    for number in range(5):
        desk.post(trial(f"T{number}", *TWO))
    claimed = [[work.dispatch_id for work in desk.claim()] for _ in range(4)]
    assert [len(rows) for rows in claimed] == [2, 2, 1, 0]
    # the steps that have been due longest come first
    assert sum(claimed, []) == list(Dispatch.objects.order_by("pk").values_list("pk", flat=True))


def test_what_is_larger_than_the_bound_is_claimed_alone(desk, monkeypatch):
    monkeypatch.setattr(leases, "RECORDS_A_CLAIM", 3)
    desk.post(trial("T1", *[f"d{n}.example.com" for n in range(10)]))
    desk.post(trial("T2"))
    assert [len(desk.claim()) for _ in range(3)] == [1, 1, 0]


def test_the_bound_counts_all_partners_together(desk, monkeypatch):
    desk.play(trial("T1", *TWO))
    desk.sandbox.fault(path=BPM, kind="503")
    desk.play(activation("A1"))
    desk.post(trial("T2", *TWO))
    desk.clock.shift(40)
    monkeypatch.setattr(leases, "RECORDS_A_CLAIM", 3)
    claimed = [[work.step for work in desk.claim("bigdata", "bpm")] for _ in range(3)]
    assert claimed == [["create_trial_billing"], ["start_bpm"], []]


def test_what_is_in_flight_to_a_partner_is_bounded_too(desk, monkeypatch):
    """The request bodies of calls in flight also need memory. So nothing more is claimed for a partner whose calls in
    flight have the allowed number of records."""
    monkeypatch.setattr(leases, "RECORDS_A_CLAIM", 2)
    monkeypatch.setattr(loop, "RECORDS_IN_FLIGHT", 4)
    monkeypatch.setattr(loop, "RECHECK_AFTER", 0)
    seen = []
    really = loop.Drain._free_calls_by_partner
    monkeypatch.setattr(
        loop.Drain, "_free_calls_by_partner", lambda drain: seen.append(in_flight(drain)) or really(drain)
    )
    for number in range(4):
        desk.post(trial(f"T{number}", *TWO))
    desk.sandbox.delay(0.8)
    desk.deliver()
    assert max(seen) == 4
    assert {desk.state(f"T{number}") for number in range(4)} == {"trialing"}


def in_flight(drain) -> int:
    return sum(call.work.size for call in drain.calls.values())


def test_every_step_says_how_large_it_is(desk):
    """A step's size is its number of records, or of domains if the step names domains. The size is stored, so that
    nobody has to read the step's JSON."""
    desk.play(trial("T1", *TWO), change("C1", "b.example.com", "c.example.com", "d.example.com"))
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.play(activation("A1"))
    desk.command("resend", "A1")
    desk.sandbox.partners.store.delete_record(desk.held_there("A1")["c.example.com"])
    with pytest.raises(CommandError, match="1 differences"):
        call_command("reconcile", "--fix")
    desk.play(withdrawal("A1"), withdrawal("T1"))
    for row in Dispatch.objects.select_related("order"):
        assert row.size == expected(row), row.step


def expected(row: Dispatch) -> int:
    if row.channel == "billing":
        return billing_size(row)
    return 0 if row.channel == "usage" else row.order.domains.count()
