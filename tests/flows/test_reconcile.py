"""`reconcile` compares our billing records with the big-data side's in both directions, and fixes differences
(contract 5)."""

import re

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from integrations import tasks
from integrations.bigdata.reconciliation import Comparison, Scope
from integrations.worker.recurring_schedules import make_schedules
from orders.incidents.incidents import open_incident
from orders.models import BillingRecord, Difference, Dispatch, Incident, OrderEvent, Reconciliation
from orders.outbox.release_steps import release
from orders.sending.resend import Selection, judge_selection
from orders.undoing.by_staff import compensate
from tests.bboss.conftest import ACTIVATION, TRIAL
from tests.flows.conftest import code_of

BILLING, DELETE, QUERY = "/bigdata/productInfos", "/bigdata/productInfos/delete", "/bigdata/productInfos/query"


@pytest.fixture
def store(desk):
    """Returns the sandbox's store, so that a test can put wrong data into it. The desk has a live activation."""
    desk.play(TRIAL, ACTIVATION)
    assert desk.order("100A1").state == "active"
    mail.outbox.clear()
    return desk.sandbox.partners.store


def reconcile(capsys, *words, by="test") -> tuple[int, str]:
    """Runs `reconcile` and returns the exit code and the printed text."""
    return code_of("reconcile", *words, by=by), capsys.readouterr().out


def fix(desk, capsys) -> tuple[int, str]:
    told = reconcile(capsys, "--fix")
    desk.deliver()
    return told


def test_it_is_mailed_even_when_nothing_differs(desk, store, capsys):
    assert reconcile(capsys) == (
        0,
        "2 orders, 2 records: 0 differences, 0 put right, 0 orders left out with steps under way\n",
    )
    row = Reconciliation.objects.get()
    assert (row.orders, row.records, row.differences, row.by, row.error) == (2, 2, 0, "command:test", "")
    assert (bool(row.finished_at), row.whole) == (True, True)
    assert OrderEvent.objects.filter(kind="reconciled").count() == 1
    desk.deliver()
    (message,) = mail.outbox
    assert message.to == ["desk@example.com"]
    assert message.subject == "【IBS 订单台】话单对账：共比对订单 2 单、话单 2 条，差异 0 条，已处理 0 条"
    assert "无需处理" in message.body
    assert "/admin/orders/reconciliation/" in message.body
    assert desk.order("100A1").state == "active"
    desk.sandbox.fault(path=BILLING, kind="503", count=1)
    desk.play(TRIAL | {"OrderNum": "100T2"})
    out = reconcile(capsys)[1]
    assert "2 orders, 2 records: 0 differences, 0 put right, 1 orders left out" in out
    assert "100T2: left out: a billing step is under way: Create trial records" in out


def test_a_difference_that_somebody_asked_for_is_mailed_by_the_next_whole_comparison(desk, books, store, capsys):
    """A person who compares named orders sees their differences, so no mail is written. A difference that is still
    there at night is mailed."""
    for number in ("100A1", "100T1"):
        books.put(number, enterpriseName="别人")
        assert reconcile(capsys, number)[0] == 1
    desk.deliver()
    assert Incident.objects.get(code="difference").affected.count() == 2
    assert mail.outbox == []
    for told in (1, 1):
        reconcile(capsys)
        desk.deliver()
        assert len([message for message in mail.outbox if "需要处理" in message.subject]) == told


def test_a_missing_record_is_sent_again(desk, books, store, capsys):
    before = books.lose("100A1")
    desk.clock.shift(3600)
    code, out = reconcile(capsys)
    assert (code, out.splitlines()[0]) == (
        1,
        "100A1 61000616304 a.example.com: Live order, not billed: ours live, theirs missing",
    )
    assert store.records("100A1") == []

    code, out = fix(desk, capsys)
    assert (code, "queued: fix_create_billing" in out) == (1, True)
    assert books.held("100A1") == before
    assert desk.order("100A1").state == "active"
    assert OrderEvent.objects.get(kind="reconciliation_fix").actor == "command:test"
    assert Difference.objects.last().fix.state == "done"
    assert reconcile(capsys)[0] == 0


def test_what_differs_is_named_and_put_right(desk, books, store, capsys):
    cancelled = books.put("100T1", cancelStatus="1", cancelTime="20330920185436")
    live = books.put("100A1", province="200", enterpriseName="别人")
    assert cancelled["cancelStatus"] == "2"
    _, out = fix(desk, capsys)
    assert "Billed, no live order: ours cancelled, theirs live" in out
    assert "province: ours 100, theirs 200" in out
    assert (books.held("100T1"), books.held("100A1"), books.live()) == (cancelled, live, ["100A1"])
    assert desk.order("100T1").state == "converted"
    assert Difference.objects.get(job_id="100A1").detail["fields"]["province"] == ["100", "200"]


def test_what_we_lack_of_an_order_that_stands_goes_by_its_number_and_a_reason(desk, books, store, capsys):
    store.put_record(books.held("100A1") | {"domain": "x.example.com"})
    code, out = fix(desk, capsys)
    assert (code, "Billed, no live order: ours none, theirs live -> left: the order stands" in out) == (1, True)
    assert (desk.sent(DELETE), desk.troubles("100A1")) == ([], ["difference"])
    code, out = reconcile(capsys, "100A1", "--fix", "--reason", "客户经理确认")
    assert (code, "-> queued: fix_delete_billing" in out) == (1, True)
    desk.deliver()
    assert [row["domain"] for row in store.records("100A1")] == ["a.example.com"]
    assert desk.sent(DELETE)[0]["productInfos"][0]["domain"] == "x.example.com"
    assert desk.events("100A1", "reconciliation_fix")[0]["reason"] == "客户经理确认"
    assert (desk.troubles("100A1"), desk.state("100A1")) == ([], "active")


def make_unknown(number: str, **more) -> BillingRecord:
    record = BillingRecord.objects.get(order__number=number)
    BillingRecord.objects.filter(pk=record.pk).update(state="unknown", **more)
    return record


@pytest.mark.parametrize("words", [(), ("--fix",)])
def test_the_question_settles_what_was_unknown(desk, store, capsys, words):
    """Only a definite answer settles an unknown record. The comparison's query gets such an answer, with or without
    --fix."""
    record = make_unknown("100A1")
    code, out = reconcile(capsys, *words)
    assert (code, "ours unknown, theirs live -> settled: live" in out) == (1, True)
    record.refresh_from_db()
    assert (record.state, Dispatch.objects.filter(step__startswith="fix").count()) == ("live", 0)
    assert (Reconciliation.objects.first().fixed, Difference.objects.get().state) == (1, "over")
    assert desk.troubles("100A1") == []
    assert reconcile(capsys)[0] == 0


def test_what_was_unknown_and_is_not_there_is_gone_and_deleted_if_it_comes(desk, books, store, capsys):
    theirs = books.held("100A1")
    desk.staff(compensate, "100A1")
    record = make_unknown("100A1")
    assert "ours unknown, theirs missing -> settled: missing" in reconcile(capsys)[1]
    record.refresh_from_db()
    assert (record.state, store.records("100A1")) == ("deleted", [])
    store.put_record(theirs)
    fix(desk, capsys)
    assert (store.records("100A1"), desk.order("100A1").state) == ([], "failed")
    assert reconcile(capsys)[0] == 0


def test_what_was_unknown_and_must_be_there_is_not_billed(desk, books, store, capsys):
    """An active order without a record is always wrong, also if the record was unknown before."""
    make_unknown("100A1")
    before = books.lose("100A1")
    for _ in range(2):
        assert "Live order, not billed: ours" in reconcile(capsys)[1]
        assert desk.troubles("100A1") == ["difference"]
    fix(desk, capsys)
    assert (books.held("100A1"), desk.troubles("100A1")) == (before, [])


def test_an_unknown_record_s_incident_ends_with_the_answer_and_takes_its_times(desk, store, capsys):
    record = make_unknown("100T1", create_time=None, cancel_time=None, cancelled_at=None)
    for number in ("100T1", "100A1"):
        open_incident(
            desk.order(number), partner="bigdata", step="", code="unknown_record", detail="", now=timezone.now()
        )
    reconcile(capsys, "100A1")
    # A1 has the incident because the record of its trial is still unknown
    assert desk.troubles("100A1") == ["unknown_record"]
    reconcile(capsys, "100T1")
    record.refresh_from_db()
    assert (record.state, record.cancelled_at) == ("cancelled", timezone.now())
    assert (desk.troubles("100T1"), desk.troubles("100A1")) == ([], [])
    assert reconcile(capsys)[0] == 0


def test_a_step_that_acts_meanwhile_counts(desk, books, store, capsys, monkeypatch):
    """A step acts between the reading of our records and the partner's answer. The comparison leaves its orders out,
    because the difference may never have existed."""
    books.lose("100A1")

    def ask(job, **call):
        BillingRecord.objects.filter(order__number=job).update(dispatch=Dispatch.objects.last())
        return []

    monkeypatch.setattr("integrations.bigdata.reconciliation.ThreadPoolExecutor", AtOnce)
    monkeypatch.setattr("integrations.bigdata.reconciliation.query_product_infos", ask)
    code, out = reconcile(capsys, "--fix")
    assert (code, "2 orders left out" in out) == (0, True)


class AtOnce:
    """A pool that runs every call in the caller's thread."""

    def __init__(self, *args): ...

    def __enter__(self):
        return self

    def __exit__(self, *error): ...

    def submit(self, function, *args):
        outcome = function(*args)
        return type("Done", (), {"result": staticmethod(lambda: outcome)})


def test_a_later_step_waits_for_the_fix(desk, books, store, capsys):
    """A later create of the same record waits for a deletion by `--fix` that is being retried. Otherwise the deletion
    could overtake the create."""
    desk.play(ACTIVATION | {"OrderNum": "100A2", "ProductID": "9", "ProvContent": [{"ProvReq": "b.example.com"}]})
    assert desk.order("100A2").state == "awaiting_approval"
    store.put_record(books.held("100A1") | {"jobId": "100A2", "productId": "9", "domain": "b.example.com"})
    desk.sandbox.fault(path=DELETE, kind="503", count=1)
    reconcile(capsys, "100A2", "--fix", "--reason", "误下发")
    desk.deliver()
    order = desk.order("100A2")
    order.decision = "pass"
    order.save()
    release(now=timezone.now())
    desk.deliver()
    assert order.dispatches.get(step="create_billing").state == "waiting"
    assert desk.order("100A2").state != "failed"
    desk.deliver(after=120)
    assert order.dispatches.get(step="create_billing").state == "done"
    assert len(store.records("100A2")) == 1


def test_a_fix_that_fails_is_an_incident_and_holds_up_nobody(desk, books, store, capsys):
    before = books.lose("100A1")
    desk.sandbox.fault(path=BILLING, kind="refusal", count=1)
    fix(desk, capsys)
    order = desk.order("100A1")
    assert (order.state, desk.troubles("100A1")) == ("active", ["difference", "code_400"])
    assert BillingRecord.objects.get(order=order).state == "live"
    judged = judge_selection(Selection(numbers=("100A1",), failed=True), force=True)
    assert [(row.verdict, "reconcile --fix" in row.why) for row in judged] == [("refused", True)]
    fix(desk, capsys)
    assert (books.held("100A1"), desk.troubles("100A1")) == (before, [])


def test_who_names_orders_or_days_sees_the_result_and_nobody_is_mailed_about_orders(desk, store, capsys):
    assert reconcile(capsys, "100A1")[1].startswith("1 orders, 1 records")
    assert reconcile(capsys, "100A1", "100T1")[0] == 0
    desk.deliver()
    assert (mail.outbox, OrderEvent.objects.filter(kind="reconciled").count()) == ([], 2)
    assert reconcile(capsys, "--since", "2023-09-20")[1].startswith("2 orders")
    assert reconcile(capsys, "--since", "2023-09-21")[1].startswith("0 orders")
    assert not Reconciliation.objects.filter(whole=True).exists()


WRONG = [
    (["100X"], "unknown: 100X"),
    (["100C1"], "name its trial: 100C1"),
    (["--since", "yesterday"], "is no day"),
    (["--reason", "x"], "--reason goes with --fix"),
    (["--fix", "--reason", "x"], "--reason goes with --fix and with the numbers"),
    (["100A1", "--reason", "x"], "--reason goes with --fix"),
    (["100A1", "--fix", "--reason", " "], "the reason is empty"),
    (["--numbers", "nowhere.txt"], "nowhere.txt: No such file"),
]


def test_wrong_arguments(desk, store):
    desk.post({"OrderType": "2", "OrderNum": "100C1", "BizRequest": "100T1", "DataFlow": "2"})
    for words, complaint in WRONG:
        with pytest.raises(CommandError, match=re.escape(complaint)):
            call_command("reconcile", *words)
    assert not Reconciliation.objects.exists()


def test_silence_is_told_and_is_no_difference(desk, store, capsys):
    desk.sandbox.fault(path=QUERY, kind="503", count=4)
    with pytest.raises(CommandError, match="2 orders not answered; .*http_503"):
        call_command("reconcile")
    assert Reconciliation.objects.get().differences == 0
    desk.deliver()
    assert "2 orders not answered" in mail.outbox[0].body


def test_a_partner_that_is_away_is_not_asked_for_ever(desk, store, settings, capsys):
    for number in range(20):
        desk.post(TRIAL | {"OrderNum": f"100T9{number}"})
    desk.deliver()
    settings.BIGDATA_BASE_URL = "http://127.0.0.1:9/bigdata"
    with pytest.raises(CommandError, match="20 orders not answered; gave up: .*refused"):
        call_command("reconcile")


def test_each_night_in_parts(desk, store, monkeypatch):
    make_schedules()
    schedule = Schedule.objects.get(name="desk-reconcile")
    assert timezone.localtime(schedule.next_run).strftime("%H:%M") == "03:10"
    assert schedule.func == "integrations.tasks.reconcile"
    monkeypatch.setattr("integrations.bigdata.reconciliation.ORDERS_A_BATCH", 1)
    monkeypatch.setattr(tasks, "PART_SECONDS", 0)
    OrmQ.objects.all().delete()
    assert tasks.reconcile() == "1 orders, 0 differences"
    row = Reconciliation.objects.get()
    assert (row.finished_at, OrmQ.objects.count()) == (None, 1)
    for _ in range(2):
        part = OrmQ.objects.order_by("pk").last().task
        assert (part["func"], part["args"][0]) == ("integrations.tasks.reconcile", row.pk)
        tasks.reconcile(*part["args"])
    row.refresh_from_db()
    assert (row.orders, row.by, bool(row.finished_at)) == (2, "schedule", True)


def test_without_any_order(desk, capsys):
    run = Comparison(Scope(), by="test")
    assert (run.run().orders, run.after, Dispatch.objects.count()) == (0, None, 0)


def test_no_more_records_are_compared_together_than_fit_into_memory(desk, capsys, monkeypatch):
    """Orders are compared in batches with a limited number of records, so that a batch fits into memory. An order with
    more records is compared alone."""
    monkeypatch.setattr("integrations.bigdata.reconciliation.RECORDS_A_BATCH", 3)
    sizes = []
    asked = Comparison._start_queries
    monkeypatch.setattr(
        Comparison, "_start_queries", lambda run, orders, pool: sizes.append(len(orders)) or asked(run, orders, pool)
    )
    for number, count in enumerate([1, 2, 1, 5, 1]):
        names = [{"ProvReq": f"d{n}.example.com"} for n in range(count)]
        desk.post(TRIAL | {"OrderNum": f"100T{number}", "ProvContent": names})
    desk.deliver()
    assert "5 orders, 10 records: 0 differences" in reconcile(capsys)[1]
    assert sizes == [2, 1, 1, 1]
