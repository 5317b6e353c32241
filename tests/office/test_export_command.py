"""`export LIST OUT.xlsx` writes what the page shows under the same filter, from a terminal (contract section 5)."""

import datetime
import os
import signal
from unittest.mock import Mock

import pytest
from django.core.management import CommandError, call_command

from approvals.models import ApprovalRecord
from orders.lists.registration import address_of_list, admin_of, exported_lists
from orders.management.progress import Progress
from orders.models import OrderEvent
from orders.office.exports.models import Export
from tests import factories as make
from tests.admin.rows import of_order
from tests.admin.walking import unrendered
from tests.office.conftest import read_csv, read_xlsx
from tests.sampling import WHOLE

pytestmark = pytest.mark.django_db


@pytest.fixture
def export(tmp_path, capsys):
    """Returns a function. `export("orders", "--query", "...")` returns the rows of the file."""

    def run(name, *arguments, suffix="xlsx"):
        out = tmp_path / f"out.{suffix}"
        call_command("export", name, str(out), *arguments)
        return read_xlsx(out) if suffix == "xlsx" else read_csv(out.read_text(encoding="utf-8"))

    return run


def refused(*arguments):
    with pytest.raises(CommandError) as error:
        call_command("export", *arguments)
    return str(error.value)


def test_it_writes_the_columns_of_the_page(export):
    order = make.OrderFactory(enterprise_name="=云帆", biz_start=datetime.date(2026, 11, 25))
    [row] = export("orders")
    shown = "订单号 类型 客户 归属 业务类型 状态 卡在 业务开始日 接收时间 已等（自然日） 逾期（自然日） 超时 处理人"
    assert list(row) == shown.split()
    assert (row["订单号"], row["客户"], row["归属"]) == (order.number, "=云帆", "北京")
    assert row["业务开始日"] == datetime.datetime(2026, 11, 25)
    assert row["接收时间"] == order.received_at.astimezone(make.NOW.tzinfo).replace(tzinfo=None, microsecond=0)


@pytest.mark.parametrize(
    "query",
    ["state=held&attribution=BJ", "state__exact=held&attribution__letters__exact=BJ", "?state=held&attribution=BJ"],
)
def test_the_filter_is_the_list_s_own(export, query):
    held = make.OrderFactory(state="held", held_because="files", attribution_id="BJ")
    make.OrderFactory(state="held", held_because="files", attribution_id="SH")
    make.OrderFactory(state="active", attribution_id="BJ")
    assert [row["订单号"] for row in export("orders", "--query", query)] == [held.number]


def test_columns_are_those_that_the_address_names_and_a_wrong_one_is_refused(export, tmp_path):
    make.OrderFactory(number="X1")
    assert list(export("orders", "--query", "columns=start_day,number")[0]) == ["业务开始日", "订单号"]
    out = tmp_path / "wrong.xlsx"
    assert "nosuch" in refused("orders", str(out), "--query", "columns=number,nosuch")
    assert not out.exists()


def test_two_at_once_leave_one_whole_file(tmp_path, monkeypatch):
    make.OrderFactory(number="X1")
    out = tmp_path / "out.csv"

    def another(*about):
        monkeypatch.setattr(Progress, "reach", lambda *about: None)
        monkeypatch.setattr(os, "getpid", lambda: 71)
        call_command("export", "orders", str(out))

    monkeypatch.setattr(Progress, "reach", another)
    call_command("export", "orders", str(out))
    assert os.listdir(tmp_path) == ["out.csv"]
    assert [line["订单号"] for line in read_csv(out.read_text(encoding="utf-8"))] == ["X1"]


def test_search_and_order_are_the_list_s_own(export):
    numbers = [make.OrderFactory(number=f"X{n}", biz_start=datetime.date(2026, 11, n + 1)).number for n in range(3)]
    make.OrderFactory(number="Y1")
    # by the column of the start day
    assert [row["订单号"] for row in export("orders", "--query", "q=X&o=7")] == numbers
    assert [row["订单号"] for row in export("orders", "--query", "q=X&o=-7")] == numbers[::-1]


@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_every_list(export, suffix, admin_user):
    for letters in ("BJ", "SH"):
        of_order(make.OrderFactory(attribution_id=letters))
    for name in exported_lists() if WHOLE else ["orders"]:
        page = unrendered(admin_user, address_of_list(admin_of(name).model))
        rows = export(name, suffix=suffix)
        assert len(rows) == page.context_data["cl"].result_count > 0, name
        assert not [value for row in rows for value in row.values() if isinstance(value, str) and "<" in value], name


def test_people_are_masked_without_personal(export):
    make.OrderFactory(oper_user="欧阳三", oper_tel="13712345678", oper_mail="ops@example.com")
    assert "13712345678" not in str(export("orders"))
    [row] = export("orders", "--personal")
    assert (row["经办人"], row["经办人电话"], row["经办人邮箱"]) == ("欧阳三", "13712345678", "ops@example.com")


@pytest.mark.parametrize(
    "name, make_row",
    [
        ("mails", lambda: make.MailFactory(recipients=["ops@example.com", "x@example.com"], body="找 13712345678")),
        ("attempts", lambda: make.AttemptFactory(error="找 13712345678 ops@example.com")),
        ("approvals", lambda: make.ApprovalRecordFactory(opinion="找 13712345678 ops@example.com")),
        ("inbound", lambda: make.InboundMessageFactory(rsp_desc="找 13712345678 ops@example.com")),
    ],
)
def test_texts_that_name_people_are_masked_too(export, name, make_row):
    make_row()
    masked, opened = str(export(name)), str(export(name, "--personal"))
    assert ("13712345678" in masked, "ops@example.com" in masked) == (False, False)
    assert ("13712345678" in opened, "ops@example.com" in opened) == (True, True)


def test_what_a_killed_run_left_is_removed_after_a_day(export, tmp_path):
    left = [".out.xlsx.71.part", ".out.xlsx.71.sheet1.part", "..out.xlsx.71.sheets"]
    others = [".out.xlsx.72.part", "out.xlsx.71.part", ".out.csv.71.part", ".other.xlsx.71.part", ".outtxlsx.71.part"]
    for name in left + others:
        path = tmp_path / name
        path.mkdir() if name.endswith(".sheets") else path.write_bytes(b"x")
        os.utime(path, None if ".72." in name else (0, 0))
    export("orders")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "out.xlsx"])


@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_one_that_is_told_to_end_leaves_nothing(tmp_path, monkeypatch, suffix):
    make.OrderFactory()
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(Progress, "reach", lambda *about: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as ended:
        call_command("export", "orders", str(tmp_path / f"out.{suffix}"))
    assert (ended.value.code, list(tmp_path.iterdir())) == (143, [])
    assert signal.getsignal(signal.SIGTERM) == before
    assert not Export.objects.exists()


def test_each_is_noted_with_who_and_why(export):
    make.OrderFactory(state="held", held_because="files")
    export("orders", "--query", "state=held")
    export("orders", "--personal", "--by", "li", "--reason", "月报")
    plain, personal = Export.objects.order_by("pk")
    assert (plain.personal, plain.query, plain.state, plain.written) == (False, "state__exact=held", "done", 1)
    assert (personal.by, personal.personal, personal.reason) == ("command:li", True, "月报")
    assert OrderEvent.objects.filter(kind="personal_data_seen", actor="command:li").count() == 1


WRONG = {
    "state": "--query state can't be read",
    "colour=red": "no filter colour of this list; there are needs, owner, state,",
    "content__exact=1": "no filter content__exact of this list",
    "oper_tel__startswith=137": "no filter oper_tel__startswith of this list",
    "state=nosuch": "filter state has no value nosuch; there are: in_progress, held,",
    "state=": "filter state has no value ;",
    "attribution=XX": "filter attribution has no value XX; there are: BJ,",
    "first=2": "filter first has no value 2; there are: 0, 1",
    "needs=nobody": "filter needs has no value nobody; there are: somebody,",
    "start=never": "filter start has no value never; there are: overdue, starting, today, tomorrow, week, 7d, 14d,",
    "received=2026-11-25..2026-11-01": "YYYY-MM-DD..YYYY-MM-DD (the first day first",
    "received=2026-13-01": "filter received has no value 2026-13-01",
    "incident=x": "filter incident has no value x",
    "q=%00": "filter q has no value NUL",
    "p=2": "no filter p of this list",
}


@pytest.mark.parametrize("query", WRONG)
def test_a_wrong_filter_is_named(tmp_path, query):
    assert WRONG[query] in refused("orders", str(tmp_path / "o.xlsx"), "--query", query)
    assert list(tmp_path.glob("*o.xlsx*")) == []


def test_wrong_arguments_and_folders(tmp_path):
    assert "needs a reason" in refused("orders", str(tmp_path / "o.xlsx"), "--personal", "--reason", " ")
    assert "must end in one of xlsx, csv" in refused("orders", str(tmp_path / "o.pdf"))
    assert "can't be written: No such file or directory" in refused("orders", str(tmp_path / "no" / "o.xlsx"))
    assert "can't be written: No such file or directory" in refused("orders", str(tmp_path / "no" / "o.csv"))
    assert (list(tmp_path.iterdir()), Export.objects.count()) == ([], 0)


def test_a_hostile_name_makes_no_broken_file(export):
    make.OrderFactory(enterprise_name="=cmd|'/c calc'!A0\x0b<b>" + "长" * 230)
    make.ApprovalRecordFactory(opinion="ok" * 20_000, result=ApprovalRecord.Result.PASS)
    [row] = export("orders", "--query", "q=%3Dcmd")
    assert row["客户"].startswith("=cmd|'/c calc'!A0\ufffd<b>长")
    [row] = export("approvals")
    assert len(row["意见（脱敏）"]) == 32_767


def test_an_existing_file_is_replaced_only_by_a_whole_one(export, tmp_path, monkeypatch):
    make.OrderFactory()
    export("orders")
    before = (tmp_path / "out.xlsx").read_bytes()
    monkeypatch.setattr("xlsxwriter.workbook.ZipFile", Mock(side_effect=OSError(28, "No space left on device")))
    assert "No space left on device" in refused("orders", str(tmp_path / "out.xlsx"))
    assert (tmp_path / "out.xlsx").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.xlsx"]
