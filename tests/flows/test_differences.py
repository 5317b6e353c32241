"""A difference between our records and the big-data side's, from its opening to its end, and the difference's incident
(contract 3.9, 14)."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.outbound.failure_classification import PartnerResponse
from orders.actions.accept import accept
from orders.models import BillingRecord, Difference, Incident, Reconciliation, TrialClaim
from orders.reconciliation import results
from orders.replanning.giving_up import give_up
from tests.flows.conftest import BILLING
from tests.flows.contents import activation, trial, withdrawal

A, X = "a.example.com", "x.example.com"


def rows(job: str) -> list[str]:
    """Returns `kind:state` of each difference of a jobId, in order."""
    found = Difference.objects.filter(job_id=job).order_by("pk")
    return [f"{row.kind}:{row.state}" for row in found]


def test_each_comparison_closes_what_the_one_before_found(desk, books, trialing):
    """Each comparison closes the differences that the comparison before it opened. The incident ends when a comparison
    finds no difference."""
    lost = books.lose("T1")
    assert books.reconcile()[0] == 1
    assert (rows("T1"), desk.troubles("T1")) == (["not_billed:open"], ["difference"])
    assert Incident.objects.get().detail == "a.example.com (live / missing)"
    desk.clock.shift(60)
    books.reconcile()
    assert rows("T1") == ["not_billed:over", "not_billed:open"]
    first = Difference.objects.first()
    assert (first.closed_at, first.closed_by) == (timezone.now(), "command:test")
    assert desk.troubles("T1") == ["difference"]
    books.store.put_record(lost)
    assert books.reconcile()[0] == 0
    assert (rows("T1"), desk.troubles("T1")) == (["not_billed:over"] * 2, [])
    assert Incident.objects.get().state == "resolved"


def test_it_ends_when_its_fix_is_done(desk, books, trialing):
    books.lose("T1")
    books.reconcile("--fix")
    assert (rows("T1"), desk.troubles("T1")) == (["not_billed:open"], ["difference"])
    desk.deliver()
    assert (rows("T1"), desk.troubles("T1")) == (["not_billed:over"], [])
    assert Difference.objects.get().closed_by == "worker"


def test_what_the_fix_does_not_cover_keeps_the_incident_open(desk, books, trialing):
    books.store.put_record(books.lose("T1") | {"domain": X})
    books.fix()
    assert (rows("T1"), desk.troubles("T1")) == (["not_billed:over", "not_ours:open"], ["difference"])
    books.fix("T1", "--reason", "x")
    assert (rows("T1")[2:], desk.troubles("T1")) == (["not_ours:over"], [])


def test_a_comparison_of_one_order_leaves_the_others_alone(desk, books):
    desk.play(trial("T1"), trial("T2", X))
    books.lose("T1")
    books.lose("T2")
    books.reconcile()
    books.reconcile("T2")
    assert (rows("T1"), rows("T2")) == (["not_billed:open"], ["not_billed:over", "not_billed:open"])


def test_what_staff_live_with_is_not_found_again(desk, books, trialing):
    books.put("T1", province="200")
    BillingRecord.objects.update(accepted={"province": "200"})
    assert books.reconcile()[0] == 0
    books.put("T1", enterpriseName="别人")
    assert "enterpriseName: ours 北京示例科技, theirs 别人" in books.fix()[0]
    assert (books.held("T1")["province"], books.held("T1")["enterpriseName"]) == ("200", "北京示例科技")
    books.put("T1", province="210")
    assert "province: ours 100, theirs 210" in books.reconcile()[1][0]


def test_an_accepted_record_that_we_lack_is_not_found_again_as_long_as_it_is_the_same(desk, books, trialing):
    books.store.put_record(books.held("T1") | {"domain": X})
    books.reconcile()
    Difference.objects.update(state="accepted")
    assert books.reconcile()[0] == 0
    assert (rows("T1"), desk.troubles("T1")) == (["not_ours:accepted"], [])
    books.store.put_record(books.store.records("T1")[1] | {"cancelStatus": "2"})
    assert books.reconcile()[0] == 1
    assert rows("T1") == ["not_ours:accepted", "not_ours:open"]


def test_an_accepted_difference_of_a_record_of_ours_does_not_hide_a_later_one(desk, books, trialing):
    """`accept` set our record to the partner's values. A later change of the partner's record is a new difference."""
    books.lose("T1")
    books.reconcile()
    Difference.objects.update(state="accepted")
    assert books.reconcile()[0] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"enterpriseId": "E9"},
        {"infoType": "2"},
        {"province": "200"},
        {"createTime": "20230101000000"},
        {"cancelStatus": "2"},
        {"domain": X},
        {"enterpriseName": "a\0b"},
    ],
)
def test_whatever_differs_can_be_lived_with(desk, books, change, trialing):
    """Contract 3.9 (14): with `accept`, our records take the partner's values. The difference counts as fine and stays
    listed."""
    books.put("T1", **change)
    assert books.reconcile()[0] == 1
    accept(number="T1", reason="客户经理确认", by="staff:lisi", now=timezone.now())
    assert desk.troubles("T1") == []
    assert (books.reconcile()[0], desk.troubles("T1")) == (0, [])
    assert {row.split(":")[1] for row in rows("T1")} == {"accepted"}


def test_a_record_without_a_name_can_be_lived_with_and_is_not_made_ours(desk, books, trialing):
    books.store.put_record(books.held("T1") | {"domain": "x\0y"})
    books.reconcile()
    accept(number="T1", reason="大数据侧无法删除", by="staff:lisi", now=timezone.now())
    assert (books.reconcile()[0], rows("T1")) == (0, ["unreadable:accepted"])
    assert desk.records("T1") == {A: "live"}


def test_what_is_lived_with_is_named_as_they_hold_it(desk, books, active):
    books.put("A1", enterpriseId="E9")
    books.reconcile()
    accept(number="A1", reason="x", by="staff:lisi", now=timezone.now())
    desk.play(withdrawal("A1"))
    assert desk.sent("/bigdata/productInfos/delete")[0]["productInfos"][0]["enterpriseId"] == "E9"
    assert (books.live(), books.reconcile()[0]) == (["T1"], 0)


# --- orders that ended although they may still be billed


def test_what_is_still_billed_keeps_its_incident_until_it_is_gone_and_the_trial_runs_on(desk, books, active):
    """The big-data side refuses to delete the records of a withdrawn activation, and staff give the deletion up. The
    incident stays until the records are gone. Then the trial runs again."""
    desk.sandbox.fault(path="/bigdata/productInfos/delete", kind="refusal", count=1)
    desk.play(withdrawal("A1"))
    desk.staff(give_up, "A1")
    assert desk.state("A1") == "withdrawn"
    assert books.reconcile()[0] == 0
    assert (books.live(), desk.troubles("A1")) == (["A1"], ["billed_not_active"])
    books.lose("A1")
    code, lines = books.reconcile()
    assert (code, desk.troubles("A1"), desk.records("A1")) == (0, [], {A: "deleted"}), lines
    desk.deliver()
    assert (books.live(), desk.state("T1"), desk.state("A1")) == (["T1"], "trialing", "withdrawn")
    assert not TrialClaim.objects.filter(released_at=None).exists()


# --- records that can't be read


@pytest.mark.parametrize(
    "change, told",
    [
        ({"domain": "x\0y"}, "T1 1 x?y: Record that can't be read"),
        ({"domain": X, "enterpriseName": "a\0b"}, f"T1 1 {X}: Record that can't be read"),
        ({"domain": ""}, "T1 1: Record that can't be read"),
    ],
)
def test_a_row_that_can_t_be_read_is_named_and_the_run_goes_on(desk, books, change, told):
    desk.play(trial("T1"), trial("T2", "b.example.com"))
    books.store.put_record(books.held("T1") | change)
    books.lose("T2")
    code, lines = books.reconcile("--fix")
    assert code == 1
    assert lines[0].startswith(told)
    assert lines[1].startswith("T2 1 b.example.com: Live order, not billed")
    assert lines[2].startswith("2 orders, ")
    assert (rows("T1"), desk.troubles("T1")) == (["unreadable:open"], ["difference"])
    assert "\0" not in json.dumps(Difference.objects.first().detail)
    assert Reconciliation.objects.get().error == ""


def test_a_record_of_ours_that_can_t_be_read_there_is_sent_again(desk, books, trialing):
    before = books.put("T1", enterpriseName="a\0b")
    assert "-> queued: fix_create_billing" in books.fix()[0]
    assert (books.held("T1"), desk.troubles("T1")) == (before, [])


@pytest.mark.parametrize("row", [1, None, "\0", ["\0"], {"domain": {"\0": 1}}])
def test_rows_that_are_no_records_end_nothing(desk, books, monkeypatch, row):
    desk.play(trial("T1"), trial("T2", "b.example.com"))
    answers = {"T1": {"code": 200, "result": [row]}}

    def ask(path, body, *args):
        job = json.loads(body)["jobId"]
        data = answers.get(job) or {"code": 200, "result": [books.held(job)]}
        return PartnerResponse(200, json.dumps(data), data)

    monkeypatch.setattr("integrations.bigdata.client._call", ask)
    code, lines = books.reconcile()
    assert (code, lines[-1].startswith("2 orders, ")) == (1, True)
    assert "T1" in lines[0]
    assert desk.troubles("T1") == ["difference"]
    assert rows("T1")[-1] == "unreadable:open"
    assert rows("T2") == []
    assert Reconciliation.objects.get().error == ""


def test_an_order_that_can_t_be_compared_is_named_and_the_run_goes_on(desk, books, monkeypatch):
    desk.play(trial("T1"), trial("T2", "b.example.com"))
    books.lose("T1")
    books.lose("T2")
    number, keep = desk.order("T1").pk, results.keep_discrepancies

    def fail(row, order_id, *args, **more):
        if order_id == number:
            raise ValueError("what?")
        return keep(row, order_id, *args, **more)

    monkeypatch.setattr(results, "keep_discrepancies", fail)
    code, lines = books.reconcile()
    assert (code, lines[0].startswith("T2 ")) == (1, True)
    assert "T1: internal" in Reconciliation.objects.get().error


# --- the number of queries


def test_a_night_without_differences_costs_no_query_for_each_order(desk, books):
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert books.reconcile()[0] == 0
        return len(found)

    desk.play(*(trial(f"T{n}", f"a{n}.example.com") for n in range(3)))
    few = queries()
    desk.play(*(trial(f"U{n}", f"b{n}.example.com") for n in range(9)))
    assert queries() == few


def test_a_failed_step_s_own_incident_stays(desk, books, trialing):
    desk.sandbox.fault(path=BILLING, kind="refusal", count=2)  # twice, because a refused cancel goes out once more
    desk.play(activation("A1"))
    troubles = desk.troubles("A1")
    assert troubles
    books.reconcile()
    assert desk.troubles("A1") == troubles
