"""`reconcile --numbers FILE` compares BBOSS's list of order numbers with ours (contract section 5; 3.9, 14)."""

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from orders.actions.accept import accept
from orders.actions.take import take
from orders.models import AffectedOrder, Difference, Dispatch, Order, Reconciliation
from orders.texts.errors import NotAllowedError
from tests.flows.conftest import QUERY
from tests.flows.contents import activation, change, trial, withdrawal

LOST = "A9"


@pytest.fixture
def listed(tmp_path, books):
    """Returns a function: `listed("T1", "A9")` compares with a list of these numbers, and returns the exit code and
    the printed lines."""

    def compare(*numbers: str, words: tuple = ()) -> tuple[int, list[str]]:
        path = tmp_path / "numbers.txt"
        path.write_text("".join(f"{number}\n" for number in numbers))
        return books.reconcile("--numbers", str(path), *words)

    return compare


def rows() -> list[str]:
    found = Difference.objects.order_by("pk")
    return [f"{row.kind} {row.job_id} {row.domain}:{row.state}".replace(" :", ":") for row in found]


def forgotten(books, **changes) -> dict:
    """Adds a live commercial record to the big-data side's store, and returns it. A restored desk has forgotten the
    record's order."""
    record = books.held("T1") | {"jobId": LOST, "infoType": "2", "productId": "P"} | changes
    books.store.put_record(record)
    return record


def test_both_sides_know_all(desk, listed):
    desk.play(trial("T1"), change("C1", "a.example.com", "b.example.com"), activation("A1"), withdrawal("A1"))
    code, lines = listed(" T1 ", "", "C1", "A1\r", "T1")
    assert (code, rows()) == (0, [])
    assert lines[-1].endswith(": 0 differences, 0 put right, 0 orders left out with steps under way")


def test_a_number_that_we_do_not_know_is_named_with_what_they_hold(desk, books, listed, trialing):
    forgotten(books)
    forgotten(books, domain="B.example.com", cancelStatus="2")
    code, lines = listed("T1", LOST)
    assert code == 1
    assert lines[0] == (
        "A9 P a.example.com: Number that we do not know: ours none, theirs live; infoType 2; "
        "enterpriseId 100A23100079275183; createTime 20230920185436; cancelTime 20330920185436"
    )
    assert "A9 P B.example.com: Number that we do not know: ours none, theirs cancelled" in lines[1]
    assert rows() == ["unknown_order A9 a.example.com:open", "unknown_order A9 B.example.com:open"]
    row = Difference.objects.first()
    assert (row.order, row.detail["theirs"], row.reconciliation) == (None, "live", Reconciliation.objects.get())
    assert Reconciliation.objects.get().differences == 2
    assert not AffectedOrder.objects.exists()


def test_a_number_of_which_they_hold_nothing_is_named_until_it_became_known(desk, books, listed, trialing):
    """An unknown number without records at the big-data side is a difference until the desk knows the order. Then any
    comparison closes the difference. A later list that lacks the number does not close it."""
    code, lines = listed("T1", LOST)
    assert (code, lines[0]) == (1, "A9: Number that we do not know: ours none, theirs missing")
    assert rows() == ["unknown_order A9:open"]
    assert listed("T1")[0] == 0
    assert rows() == ["unknown_order A9:open"]
    desk.play(activation(LOST))
    assert books.reconcile()[0] == 0
    assert rows() == ["unknown_order A9:over"]


def test_ours_that_the_list_lacks_is_named(desk, listed):
    desk.play(trial("T1"), change("C1", "a.example.com", "b.example.com"))
    code, lines = listed("T1")
    assert (code, lines[0]) == (1, "C1: Missing in BBOSS's list: ours known, theirs missing")
    assert rows() == ["not_listed C1:open"]
    assert Difference.objects.get().order.number == "C1"
    assert desk.troubles("C1") == ["difference"]
    listed("T1", "C1")
    assert (rows(), desk.troubles("C1")) == (["not_listed C1:over"], [])


def test_a_comparison_does_not_end_what_only_the_list_can(desk, books, listed):
    desk.play(trial("T1"), trial("T2", "c.example.com"))
    listed("T1")
    assert books.reconcile()[0] == 0
    assert (rows(), desk.troubles("T2")) == (["not_listed T2:open"], ["difference"])
    with pytest.raises(NotAllowedError, match="no open difference to take"):
        take(number="T2", reason="x", by="staff:x", now=timezone.now())
    accept(number="T2", reason="BBOSS 清单不全", by="staff:x", now=timezone.now())
    assert (rows(), desk.troubles("T2"), desk.records("T2")) == (
        ["not_listed T2:accepted"],
        [],
        {"c.example.com": "live"},
    )
    assert listed("T1")[0] == 0


def test_it_is_repeatable_and_a_number_that_became_known_closes_its_rows(desk, books, listed):
    desk.play(trial("T1"), trial("T2", "c.example.com"))
    record = forgotten(books)
    listed("T1", LOST)
    assert rows() == ["unknown_order A9 a.example.com:open", "not_listed T2:open"]
    listed("T1", "T2", LOST)
    assert rows()[:2] == ["unknown_order A9 a.example.com:over", "not_listed T2:over"]
    assert rows()[2:] == ["unknown_order A9 a.example.com:open"]
    books.store.delete_record(record)
    desk.play(activation(LOST))
    code, _ = listed("T1", "T2", LOST)
    assert (code, rows()[2:]) == (0, ["unknown_order A9 a.example.com:over"])
    assert Difference.objects.last().closed_by == "command:test"


def test_what_staff_live_with_is_not_found_again(desk, books, listed):
    desk.play(trial("T1"), trial("T2", "c.example.com"))
    forgotten(books)
    listed("T1", LOST)
    for number in (LOST, "T2"):
        accept(number=number, reason="x", by="staff:x", now=timezone.now())
    assert listed("T1", LOST)[0] == 0
    assert rows() == ["unknown_order A9 a.example.com:accepted", "not_listed T2:accepted"]
    forgotten(books, cancelStatus="2")
    assert listed("T1", LOST)[0] == 1


def test_nothing_is_put_right_of_a_number_that_we_do_not_know(desk, books, listed):
    desk.play(trial("T1"), trial("T2", "c.example.com"))
    forgotten(books)
    before = books.store.records()
    _, lines = listed("T1", LOST, words=("--fix",))
    desk.deliver()
    assert "-> left: we do not know this number: have BBOSS send the order again" in lines[0]
    assert "-> left: ask BBOSS whether the order stands" in lines[1]
    assert (books.store.records(), Dispatch.objects.filter(step__startswith="fix").count()) == (before, 0)


def test_a_row_that_can_t_be_read_ends_nothing(desk, books, listed, trialing):
    forgotten(books, domain="a\0b", enterpriseId="\0")
    code, lines = listed("T1", LOST)
    assert (code, rows()) == (1, ["unknown_order A9 a?b:open"])


def test_a_lost_order_of_many_records_is_named_too(desk, books, listed, monkeypatch):
    """The desk does not know how many records the big-data side has for a lost order. So the answer may be longer than
    the limit for an order without records."""
    monkeypatch.setattr("integrations.bigdata.client.ANSWER_BYTES", 2000)
    desk.play(trial("T1"))
    for n in range(20):
        forgotten(books, domain=f"x{n}.example.com")
    listed("T1", LOST)
    assert len(rows()) == 20


def test_silence_is_told_and_the_number_stays_as_it_was(desk, books, listed, trialing):
    forgotten(books)
    listed("T1", LOST)
    before = rows()
    desk.sandbox.fault(path=QUERY, kind="503", count=4)
    code, _ = listed("T1", LOST, words=("T1",))
    assert (code, rows()) == (1, before)
    assert "A9: http_503" in Reconciliation.objects.first().error


def test_only_the_orders_in_question_are_looked_for_in_the_list(desk, listed):
    desk.play(trial("T1"), trial("T2", "c.example.com"))
    assert listed("T1", words=("T1",))[0] == 0
    assert listed("T1", words=("--since", "2023-09-21"))[0] == 0
    assert listed("T1", words=("--since", "2023-09-20"))[0] == 1


def test_a_desk_without_orders(desk, listed):
    code, lines = listed(LOST)
    assert (code, rows(), Order.objects.count()) == (1, ["unknown_order A9:open"], 0)


@pytest.mark.parametrize(
    "content, told",
    [
        (b"T1\nA 1\n", "line 2 is no order number: 'A 1'"),
        (b"T1\n" + b"x" * 65, "line 2 is no order number"),
        (b"T1\n\xe4\n", "it is not a text in UTF-8"),
        (b"T1\n\0\n", "line 2 is no order number: '\\x00'"),
        (b"\n \n", "it holds no order numbers"),
        (b"", "it holds no order numbers"),
    ],
)
def test_a_bad_list_is_one_clear_line(desk, tmp_path, content, told):
    path = tmp_path / "numbers.txt"
    path.write_bytes(content)
    with pytest.raises(CommandError) as caught:
        call_command("reconcile", numbers=str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Reconciliation.objects.exists()


@pytest.mark.parametrize("path", ["nowhere/x", "."])
def test_a_file_that_can_t_be_read_is_one_clear_line(desk, path):
    with pytest.raises(CommandError, match=f"^{path}: (No such file or directory|Is a directory)$"):
        call_command("reconcile", numbers=path)


def test_a_mark_at_the_beginning_is_no_part_of_a_number(desk, tmp_path, trialing):
    path = tmp_path / "numbers.txt"
    path.write_bytes(b"\xef\xbb\xbfT1\r\n")
    call_command("reconcile", numbers=str(path))
    assert rows() == []
