"""Ways to end a hold, changes of a trial's end, and the change that counts as the last (contract 3.2, 3.9, 3.10)."""

import pytest
from django.utils import timezone

from orders.intake.replan_held_orders import name_domains, proceed
from orders.sending.resend import Selection, resend
from orders.texts.errors import NotAllowedError
from orders.undoing.by_staff import compensate
from tests.flows.conftest import BILLING
from tests.flows.contents import activation, change, trial, withdrawal

A, B, C = "a.example.com", "b.example.com", "c.example.com"
WHO = {"reason": "客户经理确认", "by": "command:test"}


@pytest.fixture
def ended(desk):
    desk.play(trial("T1", A, BizEnd="20230925"))
    desk.sweep("2023-09-26 00:00:00")


def go(desk, number):
    desk.staff(proceed, number)


def test_an_activation_of_a_withdrawn_trial_proceeds_as_the_first(desk):
    """After `proceed`, the first activation of a withdrawn trial is planned as the first, and a second one as a
    subsequent activation."""
    desk.play(trial("T1", A), change("C1", A, B), withdrawal("T1"), activation("A1"), activation("A2", C))
    assert [desk.order(number).held_because for number in ("A1", "A2")] == ["trial_closed", "trial_closed"]
    go(desk, "A1")
    assert (desk.state("A1"), desk.alive_there("A1"), desk.order("A1").first) == ("active", [A, B], True)
    assert desk.state("T1") == "withdrawn"  # the state stays as it was (3.9, 19)
    go(desk, "A2")
    assert (desk.order("A2").first, desk.state("A2")) == (False, "awaiting_approval")
    desk.staff(compensate, "A1")
    assert (desk.state("A1"), desk.state("T1"), desk.alive_there("T1")) == ("failed", "withdrawn", [])


def test_only_what_is_held_for_a_closed_trial_proceeds_and_no_change_of_a_withdrawn_one(desk):
    desk.play(trial("T1", A), change("C1", B), withdrawal("T1"), change("C2", C))
    with pytest.raises(NotAllowedError, match="changes a trial that is withdrawn: withdraw it"):
        go(desk, "C2")
    with pytest.raises(NotAllowedError, match="not held for a closed trial"):
        go(desk, "T1")
    desk.sweep()
    assert desk.order("C2").held_because == "trial_closed"


def test_domains_that_were_missing_are_named(desk):
    desk.play(activation("A1", B, of="T1"), activation("A2"), trial("T1", A))
    bad = ([], "at least one"), (["x"], "only one label"), ([C, C.upper()], "twice")
    for names, why in (*bad, (["bücher.cn", "xn--bcher-kva.cn"], "twice")):
        with pytest.raises(NotAllowedError, match=why):
            name_domains(number="A2", domains=names, now=timezone.now(), **WHO)
    assert desk.order("A2").held_because == "domains_missing"
    desk.staff(name_domains, "A2", domains=[C])
    assert desk.state("A2") == "awaiting_approval"
    desk.decided("A2")
    assert (desk.state("A2"), desk.alive_there("A2")) == ("active", [C])


def test_a_new_end_is_posted_for_the_records_that_stay(desk):
    desk.play(trial("T1", A, B, BizEnd="20231031"))
    before = desk.held_there("T1")
    desk.clock.shift(60)
    desk.play(change("C1", B, C, BizEnd="20231231"))
    after = desk.held_there("T1")
    assert after[B] == before[B] | {"cancelTime": "20231231235959"}
    assert (after[A]["cancelStatus"], after[C]["cancelTime"]) == ("2", "20231231235959")
    assert desk.steps("C1") == ["cancel_trial_billing:done", "create_trial_billing:done", "extend_trial_billing:done"]
    desk.play(withdrawal("C1"))
    assert (desk.held_there("T1")[B], desk.alive_there("T1")) == (before[B], [A, B])


def test_a_refused_end_leaves_the_records_as_they_were(desk):
    desk.play(trial("T1", A, BizEnd="20231031"))
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(change("C1", BizEnd="20231231"))
    assert desk.state("C1") == "failed"
    [row] = desk.order("T1").billing_records.all()
    assert (row.state, row.cancel_time.date().isoformat()) == ("live", "2023-10-31")


def test_an_ended_trial_runs_again_where_a_change_names_a_later_end(desk):
    desk.play(trial("T1", A, BizEnd="20230925"))
    desk.sweep("2023-09-27 08:00:00")
    assert desk.state("T1") == "ended"
    desk.play(change("C1", BizEnd="20231231"))
    assert (desk.state("T1"), desk.state("C1")) == ("trialing", "applied")
    assert desk.held_there("T1")[A]["cancelTime"] == "20231231235959"
    desk.play(withdrawal("T1"), change("C2", BizEnd="20241231"))
    assert desk.order("C2").held_because == "trial_closed"


def test_a_change_of_an_ended_trial_goes_on_when_the_trial_runs_again(desk, ended):
    """Contract 3.10: a held change of an ended trial goes on when a later change gives the trial a new end. A held
    activation of that trial stays held, because staff decide about it."""
    desk.play(change("C1", A, B), activation("A1", start="20230926"))
    assert [desk.order(number).held_because for number in ("C1", "A1")] == ["trial_closed", "trial_closed"]
    desk.play(change("C2", BizEnd="20231231"))
    desk.sweep()
    assert [desk.state(number) for number in ("T1", "C2", "C1")] == ["trialing", "applied", "applied"]
    assert (desk.alive_there("T1"), desk.troubles("C1")) == ([A, B], [])
    assert (desk.order("A1").held_because, desk.troubles("A1")) == ("trial_closed", ["trial_closed"])


def test_a_change_that_waits_meets_the_claim_of_whoever_came_meanwhile(desk, ended):
    desk.play(change("C1", A, B), change("C2", BizEnd="20231231"), activation("A1", start="20230926"))
    desk.sweep()
    # A1 has converted the trial already
    assert (desk.state("A1"), desk.order("C1").held_because) == ("active", "trial_closed")
    desk.play(withdrawal("A1"))
    desk.wait_out()
    desk.sweep()
    assert (desk.state("T1"), desk.state("C1"), desk.alive_there("T1")) == ("trialing", "applied", [A, B])


def test_staff_let_a_change_of_an_ended_trial_go_on(desk, ended):
    """`proceed` plans a change of an ended trial. The change sends nothing, and counts once a later change makes the
    trial run again."""
    desk.play(change("C1", A, B))
    before = len(desk.billed())
    go(desk, "C1")
    assert (desk.state("T1"), desk.state("C1"), desk.troubles("C1")) == ("ended", "applied", [])
    assert len(desk.billed()) == before
    desk.play(change("C2", BizEnd="20231231"))
    assert (desk.state("T1"), desk.alive_there("T1")) == ("trialing", [A, B])


def test_the_last_change_is_a_number_not_a_clock(desk):
    desk.play(trial("T1", A), change("C1", A, B))
    desk.clock.shift(-120)
    desk.play(change("C2", A))
    desk.clock.shift(300)
    desk.play(activation("A1"))
    assert (desk.alive_there("A1"), desk.alive_there("T1")) == ([A], [])


def test_an_activation_cancels_whatever_of_its_trial_is_live(desk):
    """An activation cancels all live records of its trial. The records are selected at the first attempt, under any
    productId (3.9, 13)."""
    desk.play(trial("T1", A), change("C1", BusinessType="4"))
    trial_record = desk.order("T1").billing_records.get(product_id="1")
    trial_record.state = "live"
    trial_record.save()
    desk.sandbox.partners.store.put_record(desk.held_there("T1")[A] | {"productId": "1", "cancelStatus": "1"})
    desk.play(activation("A1"))
    assert desk.state("A1") == "active"
    assert all(row["cancelStatus"] == "2" for row in desk.sandbox.partners.store.records("T1"))


def live_again(desk, number, record):
    """Makes a record that was taken back live again on both sides, for an unknown reason."""
    desk.order(number).billing_records.filter(domain=record["domain"]).update(state="live")
    desk.sandbox.partners.store.put_record(record)


def test_what_was_live_of_a_withdrawn_trial_is_not_restored(desk, trialing):
    """The trial was withdrawn before the activation, so it did not run on. The activation's compensation does not
    restore the trial's live record."""
    record = desk.held_there("T1")[A]
    desk.play(withdrawal("T1"), activation("A1"))
    live_again(desk, "T1", record)
    go(desk, "A1")
    assert (desk.state("A1"), desk.alive_there("T1")) == ("active", [])
    desk.staff(compensate, "A1")
    assert (desk.state("A1"), desk.alive_there("T1"), desk.alive_there("A1")) == ("failed", [], [])


def test_what_is_live_of_an_earlier_plan_is_deleted_too(desk, active):
    """An order is reopened, and withdrawn before it has sent anything. A record of its earlier plan is live again, and
    the withdrawal deletes it."""
    record = desk.held_there("A1")[A]
    desk.staff(compensate, "A1")
    live_again(desk, "A1", record)
    resend(Selection(numbers=("A1",)), by="staff:x", reason="test", now=timezone.now())
    assert desk.state("A1") == "in_progress"
    desk.play(withdrawal("A1"))
    assert (desk.state("A1"), desk.alive_there("A1"), desk.records("A1")) == ("withdrawn", [], {A: "deleted"})
