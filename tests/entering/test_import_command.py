"""`import_trials FILE.xlsx [--dry-run] [--annotated OUT.xlsx]` (contract 5) reads a workbook and makes orders with
their steps.
"""

import contextlib
import datetime
import io

import openpyxl
import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from integrations.bboss.order_fields import read_order
from integrations.bboss.reply_codes import Refused
from orders.intake.receive import enter_order
from orders.models import AcceptedCall, Dispatch, InboundMessage, Order, OrderEvent
from orders.texts.errors import OrderConflictError
from tests.bboss_messages import post_order
from tests.conftest import shanghai
from tests.entering.workbooks import MEMBERS, cells, row, workbook
from tests.files import books
from tests.flows import contents

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def give(tmp_path):
    """Returns a function. `give(data, "--dry-run")` returns the lines that the command prints for this file, and its
    error.
    """

    def run(data, *arguments):
        path, out = tmp_path / "试用单.xlsx", io.StringIO()
        path.write_bytes(data)
        try:
            call_command("import_trials", str(path), "--by", "wang", *arguments, stdout=out)
        except CommandError as error:
            return out.getvalue().splitlines(), str(error)
        return out.getvalue().splitlines(), ""

    return run


def wrong(give, *rows, **more):
    """Imports the rows, asserts that nothing is imported, and returns the messages about the cells."""
    lines, error = give(workbook(*rows, **more))
    assert error
    assert not Order.objects.exists()
    assert not OrderEvent.objects.exists()
    return lines


def test_pasted_urls_are_taken_as_hosts_and_named(give):
    lines, error = give(workbook(row("T1", ProvContent="https://www.example.com/p a.cn")))
    assert (lines[0], error) == ("T1: www.example.com taken from a pasted text", "")
    assert [domain.name for domain in Order.objects.get().domains.all()] == ["www.example.com", "a.cn"]


@pytest.mark.parametrize("header", [None, MEMBERS, [name.upper() for name in MEMBERS]])
@pytest.mark.usefixtures("apart")
def test_each_row_becomes_a_trial_with_its_steps(give, header):
    more = {"header": header} if header else {}
    lines, error = give(workbook(row("T1", OperTel=13800000000), row("T2", BusinessType=4), **more))
    assert (lines[-1], error) == ("2 trials entered by command:wang, 0 were known", "")
    one, two = Order.objects.order_by("number")
    assert (one.kind, one.state, one.attribution_id, one.oper_tel) == ("trial", "in_progress", "BJ", "13800000000")
    assert two.service_type_id == "4"
    steps = Dispatch.objects.order_by("order__number").values_list("order__number", "step", "state")
    assert list(steps) == [("T1", "create_trial_billing", "due"), ("T2", "create_trial_billing", "due")]
    assert [record.domain for record in one.billing_records.all()] == ["t1.example.com"]


def test_it_is_marked_as_entered_by_hand_and_by_whom(give):
    give(workbook(row("T1")))
    entered = OrderEvent.objects.get(kind="entered")
    assert (entered.order.number, entered.actor) == ("T1", "command:wang")
    whole = OrderEvent.objects.get(kind="trials_imported")
    assert (whole.order, whole.actor, whole.data) == (None, "command:wang", {"file": "试用单.xlsx", "count": 1})
    assert not InboundMessage.objects.exists()
    assert not AcceptedCall.objects.exists()


def test_the_same_rows_again_change_nothing(give):
    give(workbook(row("T1"), row("T2")))
    before = list(OrderEvent.objects.values_list("pk", flat=True)), list(Dispatch.objects.values_list("pk", flat=True))
    lines, error = give(workbook(row("T2"), row("T1"), row("T3")))
    assert (lines[-1], error) == ("1 trials entered by command:wang, 2 were known", "")
    give(workbook(row("T1"), row("T2"), row("T3")))
    assert Order.objects.count() == 3
    assert Dispatch.objects.count() == len(before[1]) + 1
    assert OrderEvent.objects.filter(order__number__in=["T1", "T2"]).exclude(pk__in=before[0]).count() == 0


@pytest.mark.parametrize("name, refused", [("北京示例科技", False), ("另一家", True)])
def test_of_two_who_enter_a_number_at_once_the_second_gets_the_answer_of_the_first(monkeypatch, name, refused):
    raw, atomic, first = contents.trial("T1"), transaction.atomic, []

    def beaten():
        monkeypatch.setattr(transaction, "atomic", atomic)
        first.append(enter_order(read_order(raw), raw=raw, by="command:li"))
        return atomic()

    monkeypatch.setattr(transaction, "atomic", beaten)
    second = raw | {"EnterpriseName": name}
    with pytest.raises(OrderConflictError) if refused else contextlib.nullcontext():
        again = enter_order(read_order(second), raw=second, by="command:wang")
        assert (again.repeated, again.trans_idh) == (True, first[0].trans_idh)
    assert Order.objects.get().enterprise_name == "北京示例科技"


def test_a_dry_run_says_it_and_changes_nothing(give):
    lines, error = give(workbook(row("T1"), row("T2", EnterpriseID="999A1")), "--dry-run")
    assert error == ""
    assert lines == [
        "T1: new",
        "T2: new (held: attribution_unknown)",
        "2 trials would be entered, 0 are known; dry run: nothing was changed",
    ]
    assert not Order.objects.exists()
    assert not Dispatch.objects.exists()
    assert not OrderEvent.objects.exists()


def test_domains_are_parted_by_line_breaks_commas_and_semicolons(give):
    give(workbook(row("T1", ProvContent="a.cn\nb.cn\r\n c.cn, d.cn;e.cn；f.cn，g.cn\n")))
    names = Order.objects.get().domains.values_list("name", flat=True)
    assert list(names) == ["a.cn", "b.cn", "c.cn", "d.cn", "e.cn", "f.cn", "g.cn"]


@pytest.mark.parametrize("shown, kept", [("0" * 11, "01012345678"), ("0", "1012345678"), ("0.00", "1012345678")])
def test_zeros_that_a_number_s_format_shows_in_front_are_kept(give, shown, kept):
    data = workbook(row("T1", OperTel=1012345678), change=lambda sheet: setattr(sheet["K2"], "number_format", shown))
    give(data)
    assert Order.objects.get().oper_tel == kept


@pytest.mark.usefixtures("apart")
def test_a_day_may_be_a_date_and_a_province_its_name(give):
    give(workbook(row("T1", BizStart=datetime.date(2023, 9, 21), BizEnd=20231231, Attribution="上海")))
    order = Order.objects.get()
    assert (str(order.biz_start), str(order.biz_end), order.attribution_id) == ("2023-09-21", "2023-12-31", "SH")


DAYS = ["2023-09-05", "2023-9-5", "2023/9/5", "2023/09/05", "2023.9.5", "2023年9月5日", "2023年09月05日"]


@pytest.mark.parametrize("day", DAYS)
def test_a_day_may_be_written_as_people_write_it(give, day):
    """A day in any form is the same day, so importing the same row again changes nothing. BBOSS's messages may use
    only one form.
    """
    give(workbook(row("T1", BizStart="20230905", BizEnd="20231205")))
    lines, error = give(workbook(row("T1", BizStart=day, BizEnd="2023-12-5")))
    assert (lines[-1], error) == ("0 trials entered by command:wang, 1 were known", "")
    content = Order.objects.get().content
    assert (content["BizStart"], content["BizEnd"]) == ("20230905", "20231205")
    with pytest.raises(Refused):
        read_order(content | {"BizStart": day})


def test_a_trial_that_was_waited_for_lets_others_go_on(give, client):
    post_order(client, contents.activation("A1", of="T1"))
    give(workbook(row("T1")))
    assert Order.objects.get(number="A1").held_because == ""


WRONG = [
    ("OrderNum", "T 1", "A", "must be 1 to 64 of A-Z, a-z, 0-9, _ and -"),
    ("EnterpriseName", None, "C", "is missing"),
    ("EnterpriseName", "  ", "C", "is missing"),
    ("EnterpriseName", "x" * 256, "C", "is longer than 255 characters"),
    ("EnterpriseName", "a\nb", "C", "holds a character that can't be seen (U+000A)"),
    ("BusinessType", "9", "E", "is no service type; one of 1, 2, 3, 4"),
    ("Attribution", "ZZ", "L", "is no attribution; one of BJ, GD"),
    ("BizStart", "2023-09-31", "H", "is not a day; write it like 20260930"),
    ("BizStart", "2023-09/20", "H", "is not a day; write it like 20260930"),
    ("BizStart", "1969/12/31", "H", "lies before 1970"),
    ("BizStart", "20230931", "H", "is not a day; write it like 20260930"),
    ("BizStart", 45189, "H", "is a day as Excel counts days; write it like 20230920"),
    ("BizStart", datetime.datetime(2023, 9, 20, 8), "H", "is not a day; write it like 20260930"),
    ("BizEnd", "20230919", "J", "is before the start day"),
    ("BizEnd", "2023/9/19", "J", "is before the start day"),
    ("ProvContent", "a.cn;*.b.cn", "I", "the domain *.b.cn a wildcard is not allowed"),
    ("ProvContent", "a.cn;A.cn", "I", "a.cn is there twice"),
    ("ProvContent", ";", "I", "is missing"),
    ("DataFlow", datetime.date(2026, 1, 5), "G", "is a day, which Excel makes of texts like 1-5"),
    ("BillingMethod", True, "F", "is a yes or no of Excel; make the cell text"),
    ("EnterpriseID", "=1+1", "B", "is a formula; paste its value"),
    ("EnterpriseID", "#N/A", "B", "holds an error of Excel"),
    ("EnterpriseID", 100231000792751830, "B", "is a number of more than 15 digits, which Excel rounds"),
]


def test_each_wrong_cell_is_named_and_nothing_is_imported(give):
    rows = [row(f"T{place}", **{member: value}) for place, (member, value, *_) in enumerate(WRONG)]
    lines = wrong(give, *rows, row("T-right"))
    told = [f"{column}{place} {member}: {said}" for place, (member, _, column, said) in enumerate(WRONG, start=2)]
    assert [line[: len(said)] for line, said in zip(lines, told, strict=True)] == told


def test_every_wrong_cell_is_named_at_once(give):
    lines = wrong(
        give,
        row("T1", EnterpriseName=None, BusinessType="9", BizEnd="20230919"),
        row("T2", BizStart="x", BizEnd="20230919", Attribution="ZZ"),
    )
    assert [line.split(":")[0] for line in lines] == [
        "C2 EnterpriseName",
        "E2 BusinessType",
        "J2 BizEnd",
        "H3 BizStart",
        "L3 Attribution",
    ]


def test_a_number_twice_in_the_file_is_named(give):
    assert wrong(give, row("T1"), row("T1")) == ["A3 OrderNum: row 2 has the same number"]


def test_a_number_of_another_content_is_named(give):
    give(workbook(row("T1")))
    lines, error = give(workbook(row("T0"), row("T1", DataFlow="2")))
    assert lines == ["A3 OrderNum: is the number of an order with other content"]
    assert Order.objects.get().data_flow == "1"


@pytest.mark.parametrize(
    "header, said",
    [
        (["颜色", *MEMBERS[1:]], ["A1 颜色: is no column of a trial", "OrderNum: the header lacks this column"]),
        ([*MEMBERS, "OrderNum"], ["M1 OrderNum: is there twice"]),
        (["", *MEMBERS[1:]], ["A1: is no column of a trial", "OrderNum: the header lacks this column"]),
    ],
)
@pytest.mark.usefixtures("apart")
def test_a_wrong_header_is_named(give, header, said):
    assert wrong(give, row("T1"), header=header) == said


@pytest.mark.usefixtures("apart")
def test_merged_cells_are_named(give):
    lines = wrong(give, row("T1"), row("T2"), change=lambda sheet: sheet.merge_cells("C2:C3"))
    assert lines == ["C2:C3: merged cells; take them apart and fill in each"]


def test_empty_rows_and_rows_above_the_header_do_not_matter(give):
    def move(sheet):
        sheet.insert_rows(1, 2)
        sheet.insert_rows(5, 3)
        sheet["C9"] = None

    assert wrong(give, row("T1"), row("T2"), row("T3"), change=move) == ["C9 EnterpriseName: is missing"]


MANY = [f"a{number}.cn" for number in range(2000)]


def far(place):
    return lambda sheet: sheet.__setitem__(place, "x")


@pytest.mark.parametrize(
    "data, said",
    [
        (lambda: b"", "This is no xlsx file"),
        (lambda: b"OrderNum;T1", "This is no xlsx file"),
        (lambda: b"\xd0\xcf\x11\xe0" + b"x" * 100, "protected by a password, or an old .xls"),
        (lambda: books.packed({"a.txt": b"x"}), "This is no xlsx file"),
        (books.macro_by_type, "carries macros"),
        (lambda: books.changed({"xl/vbaProject.bin": b"x"}), "carries macros"),
        (lambda: books.edited_directory(books.book(), books.mark_encrypted), "protected by a password"),
        (lambda: books.edited_directory(books.changed({"x": b"0" * 3_000_000}), books.claim_small), "too large"),
        (lambda: books.changed({"x": b"0" * 105_000_000}), "too large"),
        (lambda: books.sheet("", "<!DOCTYPE a [<!ENTITY b 'c'>]>"), "This is no xlsx file"),
        (lambda: workbook(), "no row below the header"),
        (lambda: workbook(*(row(f"T{n}") for n in range(501))), "More than 500 trials"),
        (lambda: books.sheet("".join(f'<row r="{n}"/>' for n in range(1, 20_001))), "More than 500 trials"),
        (lambda: workbook(row("T1"), change=far("A1048576")), "longer than 10000 rows"),
        (lambda: workbook(row("T1"), change=far("KN2")), "more than 100 columns"),
        (lambda: b"PK\x03\x04" + b"x" * (5 * 1024 * 1024), "larger than 5 MB"),
        (lambda: workbook(*(row(f"T{n}", OperTel="x" * 32_000) for n in range(330))), "too large"),
        (lambda: workbook(*(row(f"T{n}", ProvContent=",".join(MANY)) for n in range(11))), "more than 20000 domains"),
    ],
)
@pytest.mark.usefixtures("apart")
def test_a_workbook_that_cannot_be_taken_gets_one_line(give, data, said):
    lines, error = give(data())
    assert lines == []
    assert error.split(": ")[0].endswith("/试用单.xlsx")
    assert said in error
    assert "\n" not in error
    assert not Order.objects.exists()


def test_the_annotated_copy_marks_each_wrong_cell(give, tmp_path):
    copy = tmp_path / "copy.xlsx"
    rows = row("T1"), row("T2", EnterpriseID="=1+1", EnterpriseName=None, BizStart="x")
    give(workbook(*rows), "--annotated", str(copy))
    found = cells(copy.read_bytes())
    assert found["B3"] == ("=1+1", "B3 企业编号：是公式，请粘贴为数值")
    assert found["C3"] == (None, "C3 企业名称：未填写")
    assert found["H3"][1] == "H3 业务开始日：不是日期，请写成 20260930 这样的形式"
    assert found["M3"][0].splitlines() == [found[cell][1] for cell in ("B3", "C3", "H3")]
    assert found["A1"] == ("订单号", "")
    assert all(comment == "" for cell, (_value, comment) in found.items() if cell.endswith(("1", "2")))
    sheet = openpyxl.load_workbook(copy).active
    assert sheet["B3"].data_type == "s"
    assert (sheet["C3"].fill.fgColor.rgb, sheet["C2"].fill.fill_type) == ("00FFC7CE", None)


@pytest.mark.parametrize("argument, said", [("missing.xlsx", None), ("/", None), ("/dev/zero", "5 MB")])
def test_a_file_that_cannot_be_read_is_one_line(argument, said):
    """The command reads only the beginning of a file, even if the file has no end."""
    with pytest.raises(CommandError, match=said) as error:
        call_command("import_trials", argument)
    assert "\n" not in str(error.value)


def test_a_restored_desk_takes_nothing(give, monkeypatch):
    monkeypatch.setattr("orders.office.trials.enter_trials.is_restored", lambda: True)
    lines, error = give(workbook(row("T1")))
    assert "restored" in error
    assert not Order.objects.exists()


def test_the_start_day_counts_as_for_bboss(give, client):
    """An entered trial becomes the same order as if BBOSS had sent it. Only its number and the facts about its origin
    differ.
    """
    content = contents.trial("B1") | {"CpID": "", "UserID": "", "OperUser": "", "OperTel": "", "OperMail": ""}
    post_order(client, content)
    give(workbook(row("T1", ProvContent="a.example.com", EnterpriseName="北京示例科技")))
    theirs, ours = Order.objects.order_by("number").values()
    own = {"id", "number", "content", "content_hash", "trans_idh", "received_at", "planned_at", "trace"}
    assert {name: ours[name] for name in ours if name not in own} == {
        name: theirs[name] for name in theirs if name not in own
    }
    assert ours["received_at"] == shanghai("2023-09-20 18:54:36")


def test_a_copy_that_cannot_be_written_is_told_before_anything_is_entered(give):
    _lines, error = give(workbook(row("T1")), "--annotated", "/nowhere/copy.xlsx")
    assert "/nowhere/copy.xlsx" in error
    assert not Order.objects.exists()
