"""A compensated activation is opened again by planning it anew (contract 3.9, 7)."""

import datetime

import pytest
from django.utils import timezone

from approvals.models import ApprovalRecord
from approvals.services import add_record
from orders.bpm.received_decisions import counting_records
from orders.models import Dispatch
from orders.replanning.staff_decision import decide
from orders.undoing.by_staff import compensate
from tests.flows.conftest import BILLING, BPM, code_of
from tests.flows.contents import activation, change, trial, withdrawal

A, B, C = "a.example.com", "b.example.com", "c.example.com"
WHO = {"reason": "域名已备案", "by": "command:test"}


def resend(*words) -> int:
    return code_of("resend", *words)


def refuse_bpm(desk, *contents):
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.play(*contents)


def test_what_a_change_brought_since_is_cancelled_and_billed_and_bpm_asked_under_a_new_key(desk, trialing):
    refuse_bpm(desk, activation("A1"))
    assert (desk.state("A1"), desk.alive_there("T1"), desk.alive_there("A1")) == ("failed", [A], [])
    desk.play(change("C1", A, B))
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.troubles("A1")) == ("active", [])
    assert (desk.alive_there("T1"), desk.alive_there("A1")) == ([], [A, B])
    assert len({call["key"] for call in desk.sandbox.calls(path=BPM)}) == 2


def test_what_a_change_took_away_since_is_not_billed_again(desk):
    desk.play(trial("T1", A, B))
    refuse_bpm(desk, activation("A1"))
    desk.play(change("C1", B))
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.alive_there("A1"), desk.alive_there("T1")) == ("active", [B], [])
    assert desk.records("A1") == {A: "deleted", B: "live"}
    desk.play(withdrawal("A1"))
    assert (desk.alive_there("T1"), desk.alive_there("A1"), desk.state("T1")) == ([B], [], "trialing")


def test_domains_that_its_message_gave_stay_its_own(desk, trialing):
    refuse_bpm(desk, activation("A1", C))
    desk.play(change("C1", A, B))
    desk.command("resend", "A1")
    assert (desk.alive_there("A1"), desk.alive_there("T1")) == ([C], [])


def test_a_later_start_whose_day_has_come_starts_now(desk, trialing):
    refuse_bpm(desk, activation("A1", start="20230930"))
    assert (desk.state("A1"), desk.standing("A1")["schedule"]) == ("failed", None)
    desk.at("2023-10-05 08:00:00")
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.held_there("A1")[A]["createTime"]) == ("active", "20231005080000")
    assert desk.order("A1").start_at is None


def test_a_later_start_still_ahead_gets_its_schedule_again(desk, trialing):
    refuse_bpm(desk, activation("A1", start="20230930"))
    desk.command("resend", "A1")
    assert desk.state("A1") == "scheduled"
    assert desk.standing("A1")["schedule"]["name"] == "BBossOrderJob_A1_20230929160000"
    assert desk.alive_there("T1") == [A]


def test_a_process_that_may_have_begun_is_not_started_twice(desk, settings, trialing):
    """BPM may have begun a process, so the reopened order's BPM step keeps key and bytes. The incident names the
    differences from the new plan."""
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BPM, kind="reset_after")
    desk.play(activation("A1"))
    desk.wait_out()
    assert desk.state("A1") == "failed"
    desk.command("compensate", "A1", reason="x")
    desk.play(change("C1", B))
    desk.command("resend", "A1")
    calls = desk.sandbox.calls(path=BPM)
    assert len({call["key"] for call in calls}) == 1
    assert calls[0]["body"] == calls[-1]["body"]
    assert len(desk.sandbox.state()["processes"]) == 1
    assert (desk.state("A1"), desk.troubles("A1")) == ("active", ["process_differs"])
    assert desk.alive_there("A1") == [B]


def test_a_later_start_that_stays_is_no_difference(desk):
    desk.play(trial("T1", A), activation("A1", start="20230930"))
    desk.decided("A1", "reject")
    assert desk.state("A1") == "rejected"
    desk.staff(decide, "A1", record="pass")
    assert (desk.state("A1"), desk.troubles("A1")) == ("scheduled", [])


def test_a_domain_that_the_new_plan_lacks_is_not_to_be_sent(desk, trialing):
    desk.sandbox.fault(path=BILLING, kind="refusal", count=2)  # twice, because a refused cancel goes out once more
    desk.play(activation("A1"))
    desk.play(change("C1", B))
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.records("A1")) == ("active", {A: "deleted", B: "live"})


def test_a_reject_ends_what_stopped_the_order_before_it_was_opened(desk, trialing):
    desk.sandbox.fault(path=BILLING, kind="refusal", count=2)
    desk.play(activation("A1"))
    assert (desk.state("A1"), desk.troubles("A1")) == ("failed", ["code_400"])
    resend("A1")
    desk.staff(decide, "A1", record="reject")
    assert (desk.state("A1"), desk.troubles("A1")) == ("rejected", [])


def test_a_pass_recorded_while_it_was_compensated_is_applied_when_it_gets_there(desk):
    desk.play(trial("T1", A), activation("A1"), activation("A2", B))
    assert desk.state("A2") == "awaiting_approval"
    desk.approve("A2", record="bpm-1", finished=False)
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.decided("A2", record="bpm-2")
    assert desk.state("A2") == "failed"
    desk.command("resend", "A2")
    assert (desk.state("A2"), desk.alive_there("A2")) == ("active", [B])
    assert len(desk.sandbox.state()["processes"]) == 2


def test_a_reject_recorded_meanwhile_forbids_it_until_staff_decide(desk, active):
    desk.staff(compensate, "A1")
    assert desk.approve("A1", "reject", record="bpm-1") == 200
    assert resend("A1") == 1
    decide(number="A1", record="pass", now=timezone.now(), **WHO)
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.alive_there("A1"), desk.alive_there("T1")) == ("active", [A], [])


def test_a_wrong_reject_is_mended(desk):
    desk.play(trial("T1", A), activation("A1"), activation("A2", B))
    desk.decided("A2", "reject", record="bpm-1")
    assert desk.state("A2") == "rejected"
    assert resend("A2") == 1
    desk.approve("A2", "pass", record="bpm-2")
    assert "second" in desk.troubles("A2")
    desk.staff(decide, "A2", record="bpm-2")
    assert (desk.state("A2"), desk.alive_there("A2"), desk.troubles("A2")) == ("active", [B], [])
    assert len(desk.sandbox.state()["processes"]) == 2


def test_a_decision_about_an_earlier_key_does_not_count_for_a_new_process(desk, active):
    refuse_bpm(desk, activation("A2", B))
    assert desk.state("A2") == "failed"
    resend("A2")
    # the decision is about a process that the refused call had started after all
    assert desk.approve("A2", "pass", record="bpm-0") == 200
    desk.deliver()
    # no call with a second key is sent, because the decision shows that a process exists
    assert len(desk.sandbox.calls(path=BPM)) == 2
    assert (desk.state("A2"), desk.alive_there("A2")) == ("active", [B])


@pytest.mark.parametrize("decision, state", [("pass", "active"), ("reject", "rejected")])
def test_a_decision_counts_for_the_key_sent_last_though_the_clock_steps_back(desk, decision, state, active):
    refuse_bpm(desk, activation("A2", B))
    desk.command("resend", "A2")
    assert desk.state("A2") == "awaiting_approval"
    desk.clock.shift(-60)
    desk.decided("A2", decision)
    [record] = ApprovalRecord.objects.filter(order__number="A2")
    first, second = (call["key"] for call in desk.sandbox.calls(path=BPM)[-2:])
    assert (desk.state("A2"), str(record.process_key)) == (state, second)
    assert first != second


def test_a_decision_from_before_any_key_was_sent_counts_for_the_first_process(desk, active):
    desk.post(activation("A2", B))
    desk.clock.shift(60)
    desk.approve("A2", "pass", record="bpm-0")
    desk.clock.shift(-60)
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.deliver()
    desk.command("resend", "A2")
    [record] = ApprovalRecord.objects.filter(order__number="A2")
    assert (desk.state("A2"), record.process_key) == ("awaiting_approval", ApprovalRecord.NOTHING_SENT)
    desk.decided("A2", "reject", record="bpm-1")
    assert (desk.state("A2"), desk.order("A2").decision) == ("rejected", "reject")


def test_a_record_of_an_older_version_counts_by_the_clock(desk, active):
    refuse_bpm(desk, activation("A2", B))
    desk.command("resend", "A2")
    order, sent = desk.order("A2"), desk.step("A2", "start_bpm").frozen_at
    for seconds, counts in ((-60, False), (60, True)):
        received = sent + datetime.timedelta(seconds=seconds)
        told = {"result": "pass", "finished": True, "body_hash": "0" * 64, "time": sent, "received_at": received}
        add_record(ApprovalRecord(order=order, record_id=f"old {seconds}", **told))
        assert bool(counting_records(order)) == counts


@pytest.mark.parametrize("words", [["--failed"], ["--failed", "--since", "2023-09-20"], ["--channel", "bpm"]])
def test_a_filter_opens_nothing_and_names_what_it_leaves_out(desk, capsys, words, trialing):
    refuse_bpm(desk, activation("A1"))
    assert resend(*words) == 0
    assert "A1 all: left out" in capsys.readouterr().out
    assert desk.state("A1") == "failed"
    assert resend(*words, "--reopen") == 0
    assert desk.state("A1") == "in_progress"


def test_what_staff_compensated_takes_its_number(desk, capsys, active):
    compensate(number="A1", now=timezone.now(), **WHO)
    desk.sandbox.fault(path="/bigdata/productInfos/delete", kind="refusal")
    desk.wait_out()
    desk.command("resend", "A1")
    assert desk.state("A1") == "failed"
    resend("--failed", "--reopen")
    assert desk.state("A1") == "failed"
    desk.command("resend", "A1")
    assert desk.state("A1") == "active"


def test_a_filter_names_what_staff_compensated_though_nothing_of_it_has_failed(desk, capsys, active):
    filters = ["--failed"], ["--failed", "--channel", "billing"], ["--since", "2023-09-20"]
    compensate(number="A1", now=timezone.now(), **WHO)
    for words in filters:
        assert resend(*words) == 0  # A1 is still being undone
        assert "nothing failed that fits" in capsys.readouterr().out
    desk.wait_out()
    for words in (*filters, *([*words, "--reopen"] for words in filters)):
        assert resend(*words) == 0
        assert "A1 all: left out (it was compensated; to open it again takes its number)" in capsys.readouterr().out
    assert desk.state("A1") == "failed"
    assert resend("--failed", "--channel", "bpm", "--since", "2023-09-21") == 0
    assert "nothing failed that fits" in capsys.readouterr().out


def test_an_earlier_plans_acts_do_not_count_for_a_later_one(desk):
    """The first plan cancelled the trial record of the domain a and restored it, and then a change removed a. The
    second plan never touched that record, so undoing the second plan must not restore it."""
    desk.play(trial("T1", A, B))
    refuse_bpm(desk, activation("A1"))
    desk.play(change("C1", B))
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.alive_there("T1"), desk.alive_there("A1")) == ("failed", [B], [])


def test_undoing_a_second_plan_takes_back_nothing_of_the_first(desk, trialing):
    refuse_bpm(desk, activation("A1"))
    undone = desk.billed()
    desk.sandbox.fault(path=BILLING, kind="refusal", count=2)
    desk.command("resend", "A1")
    desk.wait_out()
    assert (desk.state("A1"), desk.alive_there("T1"), desk.alive_there("A1")) == ("failed", [A], [])
    # the cancel was refused, so nothing had to be undone
    assert desk.billed() == [*undone, ("cancel", "T1", [A]), ("cancel", "T1", [A])]


def test_a_replaced_dispatch_is_never_sent(desk):
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(trial("T1", A))
    resend("T1")
    # a replaced dispatch is made due, as an older version did
    Dispatch.objects.filter(superseded=True).update(state="due", next_try_at=timezone.now())
    desk.deliver()
    assert len(desk.sandbox.calls(path=BILLING)) == 2
