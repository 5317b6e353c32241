"""`reconcile --file F.csv --as-of MOMENT` compares with a file of the big-data side's records instead of calls
(contract 7.2)."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations.bigdata.record_file import RecordFile
from integrations.partners.profile import read_profile
from orders.models import BillingRecord, Difference, OrderEvent, Reconciliation
from tests.factories import OrderFactory
from tests.flows.conftest import BILLING, COLUMNS, QUERY, seen
from tests.flows.contents import trial

A, B = "a.example.com", "b.example.com"
AN_HOUR = 3600


@pytest.fixture
def store(desk, active):
    desk.play(trial("T2", B))
    desk.clock.shift(AN_HOUR)
    return desk.sandbox.partners.store


def differences() -> list[tuple]:
    rows = Difference.objects.filter(state="open").order_by("job_id", "kind", "domain")
    return [(row.job_id, row.kind, row.domain, row.detail["theirs"], row.detail.get("fields")) for row in rows]


def test_books_that_agree_are_fine_and_nobody_is_asked(desk, books, store, held_file):
    code, lines = books.reconcile(*seen(held_file()))
    assert (code, lines[-1].split(":")[0], desk.sent(QUERY)) == (0, "3 orders, 3 records", [])
    assert (Reconciliation.objects.get().whole, OrderEvent.objects.filter(kind="reconciled").count()) == (True, 1)


def missing(books, store):
    books.lose("A1")


def live_and_other_fields(books, store):
    books.put("T1", cancelStatus="1")
    books.put("T2", enterpriseName="别人", cancelTime="20330101000000")
    books.put("A1", createTime="20230101000000")


def strange(books, store):
    store.put_record(books.held("A1") | {"domain": "x.example.com"})
    store.put_record(books.held("T2") | {"cancelStatus": "2", "domain": "y.example.com"})


def cancelled(books, store):
    books.put("A1", cancelStatus="2")


def settled(books, store):
    BillingRecord.objects.filter(order__number="T2").update(state="unknown")
    books.lose("A1")


def unknown_and_gone(books, store):
    BillingRecord.objects.filter(order__number="T2").update(state="unknown")
    books.lose("T2")


@pytest.mark.parametrize("spoil", [missing, live_and_other_fields, strange, cancelled, settled, unknown_and_gone])
def test_it_finds_what_calls_find(desk, books, store, held_file, spoil):
    spoil(books, store)
    states = list(BillingRecord.objects.values_list("pk", "state"))
    by_file, said = books.reconcile(*seen(held_file())), differences()
    after = list(BillingRecord.objects.values_list("pk", "state"))
    for pk, state in states:
        BillingRecord.objects.filter(pk=pk).update(state=state)
    assert (by_file[0], bool(said)) == (1, True)
    assert (books.reconcile(), differences()) == (by_file, said)
    assert list(BillingRecord.objects.values_list("pk", "state")) == after


def test_numbers_that_we_do_not_know_are_named(desk, books, store, held_file, tmp_path):
    store.put_record(books.held("A1") | {"jobId": "X9"})
    code, lines = books.reconcile("T1", *seen(held_file()))
    assert (code, differences()) == (0, [])
    assert books.reconcile(*seen(held_file()))[0] == 1
    assert differences() == [("X9", "unknown_order", A, "live", None)]
    numbers = tmp_path / "numbers.txt"
    numbers.write_text("A1\nT1\nX8\nX9\n")
    books.reconcile(*seen(held_file()), "--numbers", str(numbers))
    assert [row[:4] for row in differences()] == [
        ("T2", "not_listed", "", "missing"),
        ("X8", "unknown_order", "", "missing"),
        ("X9", "unknown_order", A, "live"),
    ]


def test_what_was_called_too_late_is_left_out_and_named(desk, books, store, held_file):
    books.put("T2", enterpriseName="别人")
    books.reconcile(*seen(held_file()))
    desk.play(trial("T3", "c.example.com"))
    books.lose("T3")
    desk.command("resend", "T2", force=True, channel="billing", reason="x")
    desk.clock.shift(300)
    code, lines = books.reconcile(*seen(held_file()))
    late = "left out: called less than ten minutes before that moment, or later"
    assert [line for line in lines if ": left out:" in line] == [
        f"T2: {late}: b.example.com",
        f"T3: {late}: c.example.com",
    ]
    # the difference of T2 that was found before stays open
    assert [row[:2] for row in differences()] == [("T2", "fields")]
    desk.clock.shift(600)
    assert books.reconcile(*seen(held_file()))[0] == 1
    assert [row[:2] for row in differences()] == [("T3", "not_billed")]


def test_it_never_fixes(desk, books, store, held_file):
    books.lose("A1")
    with pytest.raises(CommandError, match="--file only compares"):
        call_command("reconcile", *seen(held_file()), "--fix")
    books.reconcile(*seen(held_file()))
    desk.deliver()
    assert (Reconciliation.objects.count(), len(desk.sent(BILLING))) == (1, 4)


def test_it_compares_while_big_data_is_paused(desk, books, store, held_file):
    call_command("pause", "bigdata", reason="x", by="test")
    assert books.reconcile(*seen(held_file()))[0] == 0


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "it has no header line"),
        ("jobId,productId\nT1,1\n", "line 1: no column domain, custId, infoType, cancelStatus, createTime, cancelTime"),
        ("{head}\nT1,1,a.cn,E1,1,1,20230920185436\n", "line 2: has 7 columns, not 8"),
        ("{head}\n\n{row}\nT1,1,,E1,1,1,20230920185436,20330920185436\n", "line 4, column domain: '' is no name"),
        ("{head}\nT1,1,a.cn,E1,1,3,20230920185436,20330920185436\n", "line 2, column cancelStatus: '3' is neither 1"),
        ("{head}\nT1,1,a.cn,E1,1,1,2023092018543,20330920185436\n", "line 2, column createTime: '2023092018543' is no"),
        ("{head}\nT1,1,a.cn,E1,1,1,20230920185436,20330231185436\n", "line 2, column cancelTime: '20330231185436' is"),
        ("{head},enterpriseId\n", "line 1, column enterpriseId: enterpriseId is there twice"),
        ('{head}\n"T1\n', "line 2: unexpected end of data"),
        ("{head}\n{row}\n\udcff\n", "line 3: it is not a text in UTF-8"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_by_line_and_column(db, settings, tmp_path, text, words):
    settings.PARTNERS = read_profile('[bigdata]\nrename = { enterpriseId = "custId" }')
    path = tmp_path / "F.csv"
    head = "jobId,productId,domain,custId,infoType,cancelStatus,createTime,cancelTime"
    row = "T1,1,a.cn,E1,1,1,20230920185436,20330920185436"
    text = text.replace("{head}", head).replace("{row}", row)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CommandError, match=f"F.csv: {words}"):
        call_command("reconcile", "--file", str(path), "--as-of", "2023-09-20T10:00")
    assert not Reconciliation.objects.exists()


def test_a_file_that_is_not_there_is_one_line(db, tmp_path):
    with pytest.raises(CommandError, match="No such file"):
        call_command("reconcile", "--file", str(tmp_path / "none.csv"), "--as-of", "2023-09-20T10:00")


def test_columns_may_have_the_partners_names_a_mark_and_fewer_members(desk, books, store, held_file, settings):
    settings.PARTNERS = read_profile('[bigdata]\nrename = { enterpriseId = "custId", jobId = "workId" }')
    rows = [row | {"custId": row["enterpriseId"], "workId": row["jobId"], "note": "x"} for row in store.records()]
    columns = (
        "note",
        "custId",
        "workId",
        "domain",
        "productId",
        "infoType",
        "cancelStatus",
        "cancelTime",
        "createTime",
    )
    assert books.reconcile(*seen(held_file(rows, columns, "utf-8-sig")))[0] == 0
    rows[0]["custId"] = "E2"
    assert books.reconcile(*seen(held_file(rows, columns, "utf-8-sig")))[0] == 1
    assert [list(row[4]) for row in differences()] == [["enterpriseId"]]


def test_many_lines(db, clock, books, tmp_path, held_file):
    """A file of many lines is not read into memory, because `RecordFile` stores it on disk."""
    wire, rows = f"{timezone.localtime():%Y%m%d%H%M%S}", []
    for number in range(20):
        order = OrderFactory(number=f"A{number}", kind="activation", state="active", product_id="P1")
        names = [f"d{place}.a{number}.cn" for place in range(150)]
        about = {"order": order, "info_type": "2", "product_id": "P1", "state": "live"}
        times = {"create_time": timezone.now(), "cancel_time": timezone.now()}
        BillingRecord.objects.bulk_create(
            BillingRecord(domain=name, domain_key=name, **about, **times) for name in names
        )
        same = {"productId": "P1", "infoType": "2", "cancelStatus": "1", "createTime": wire, "cancelTime": wire}
        same |= {"jobId": order.number, "enterpriseId": order.enterprise_id}
        rows += [same | {"domain": name} for name in names[1:]]
        rows.append(same | {"domain": names[0], "jobId": f"B{number}"})
    clock.shift(AN_HOUR)
    path = held_file(rows, (*COLUMNS[:5], "cancelStatus", "cancelTime", "createTime"))
    assert RecordFile(Path(path)).lines == 3000
    code, lines = books.reconcile(*seen(path))
    assert (code, lines[-1].split(":")[0]) == (1, "20 orders, 3000 records")
    assert {row[:4] for row in differences()} == {
        row
        for number in range(20)
        for row in [
            (f"A{number}", "not_billed", f"d0.a{number}.cn", "missing"),
            (f"B{number}", "unknown_order", f"d0.a{number}.cn", "live"),
        ]
    }
