"""The export button on each list, its form and its file, and who may download the file again."""

import datetime
import errno
import os
from unittest.mock import Mock

import openpyxl
import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from orders.lists.chosen_columns import columns_of
from orders.lists.registration import address_of_list, admin_of, exported_lists
from orders.models import OrderEvent
from orders.office.exports import export_jobs as exports
from orders.office.exports.column_meanings import meanings_of
from orders.office.exports.models import Export
from tests import factories as make
from tests.admin.rows import of_order
from tests.admin.test_query_counts import queries
from tests.office.conftest import body, read_csv, read_xlsx
from tests.office.scheduling import of

pytestmark = pytest.mark.django_db
COLUMNS = ["number", "customer", "state_chip"]
FORM = {"format": "xlsx", "columns": COLUMNS}


def new(name, query=""):
    return reverse("admin:orders_export_new", args=[name]) + (f"?{query}" if query else "")


def exported(client, query="", name="orders", **form):
    """Returns the rows of the file that the form returns."""
    response = client.post(new(name, query), FORM | form)
    assert response.status_code == 200
    return read_xlsx(body(response))


@pytest.mark.parametrize("name", exported_lists())
def test_each_list_has_the_button_and_each_form_gives_a_file(member, name):
    of_order(make.OrderFactory(attribution_id="BJ"))
    staff = member("审计员")
    page = staff.get(address_of_list(admin_of(name).model)).content.decode()
    assert f'href="{new(name)}?"' in page
    form = staff.get(new(name)).context["form"]
    response = staff.post(new(name), {"format": "xlsx", "columns": form["columns"].initial})
    assert response["Content-Disposition"].startswith("attachment; filename")
    assert read_xlsx(body(response))


def test_a_file_of_orders_can_be_summed_up_by_start_month_at_once(member):
    """The cells of days are dates and those of numbers are numbers, as openpyxl reads them, so nobody has to convert a
    column before making a pivot table.
    """
    sent = timezone.now() - datetime.timedelta(days=3, hours=1)
    for day, flow in (("2026-11-03", "1"), ("2026-11-20", "2.5"), ("2026-12-01", "4"), ("2026-12-02", "很多")):
        order = make.OrderFactory(
            biz_start=datetime.date.fromisoformat(day),
            data_flow=flow,
            state="awaiting_approval",
            kind="activation",
            attribution_id="BJ",
            state_since=sent,
        )
        make.DispatchFactory(order=order, step="start_bpm", channel="bpm", state="done", done_at=sent, next_try_at=None)
        for number in range(3):
            make.OrderDomainFactory(order=order, name=f"d{number}.example.com")
    columns = ["number", "start_day", "data_flow", "stuck_at", "domain_names", "domain_count", "asked", "waited"]
    staff = member("业务人员", letters=["BJ"])
    book = openpyxl.load_workbook(
        body(staff.post(new("orders", "state__exact=awaiting_approval"), {"format": "xlsx", "columns": columns}))
    )
    _header, *rows = book.active.iter_rows(values_only=True)
    months: dict = {}
    for row in rows:
        found = dict(zip(columns, row, strict=True))
        month, flow = (found["start_day"].year, found["start_day"].month), found["data_flow"]
        months[month] = months.get(month, 0) + (flow if flow != "很多" else 0)
        assert (found["stuck_at"], found["domain_count"], found["waited"]) == ("待 BPM 审批", 3, 3)
        assert found["domain_names"] == "d0.example.com, d1.example.com, d2.example.com"
        assert isinstance(found["asked"], datetime.datetime)
    assert months == {(2026, 11): 3.5, (2026, 12): 4}
    notes = {row[0]: row[1] for row in book["说明"].iter_rows(values_only=True)}
    assert (notes["筛选"], notes["行数"], notes["个人信息"]) == ("状态：待审批", 4, "已脱敏")
    assert (notes["归属范围"], notes["导出人"]) == ("北京", staff.person.get_username())
    assert isinstance(notes["导出时间"], datetime.datetime)
    assert "整天数" in notes["已等（自然日）"]


@pytest.mark.parametrize("name", exported_lists())
def test_each_column_of_a_file_says_what_it_means(name):
    assert set(columns_of(admin_of(name))) - set(meanings_of(admin_of(name))) == set()


def test_the_button_keeps_the_filter(member):
    make.OrderFactory(number="B1", state="held", held_because="files", attribution_id="SH")
    make.OrderFactory(number="B2", state="held", held_because="files", attribution_id="BJ")
    make.OrderFactory(number="A1", state="held", held_because="files", attribution_id="BJ")
    staff, query = member("业务人员"), "q=B&state__exact=held&attribution__letters__exact=BJ&o=-0&p=1"
    page = staff.get(reverse("admin:orders_order_changelist") + f"?{query}").content.decode()
    [link] = [part.split('"')[1] for part in page.split("<a ") if 'class="export"' in part for part in [part[15:]]]
    address = link.replace("&amp;", "&")
    shown = staff.get(address).content.decode()
    assert all(word in shown for word in ("搜索 B", "状态 已挂起", "归属 北京", "1 行"))
    assert [row["订单号"] for row in read_xlsx(body(staff.post(address, FORM)))] == ["B2"]


def test_csv_and_the_columns_that_were_chosen(member):
    order = make.OrderFactory(enterprise_name="@云帆")
    response = member("业务人员").post(new("orders"), FORM | {"format": "csv"})
    [row] = read_csv(body(response).read().decode())
    assert row == {"订单号": order.number, "客户": "'@云帆", "状态": "处理中"}
    assert "no-store" in response.headers["Cache-Control"]


def test_a_person_exports_only_their_attributions(member):
    own = make.OrderFactory(attribution_id="BJ")
    make.OrderFactory(attribution_id="SH")
    make.OrderFactory(attribution_id=None)
    assert [row["订单号"] for row in exported(member("业务人员", letters=["BJ"]))] == [own.number]
    assert exported(member("业务人员", letters=["BJ"]), "attribution__letters__exact=BJ")
    assert Export.objects.first().scope == ["BJ"]


def test_personal_data_need_the_tick_and_a_reason(member):
    make.OrderFactory(oper_user="欧阳三", oper_tel="13712345678")
    staff, people = member("业务人员"), {"columns": ["number", "oper_user", "oper_tel"]}
    [row] = exported(staff, **people)
    assert (row["经办人"], row["经办人电话"]) == ("欧**", "137***78")
    refused = staff.post(new("orders"), FORM | people | {"personal": "on", "reason": "  "})
    assert "请说明个人信息的用途" in refused.content.decode()
    [row] = exported(staff, personal="on", reason="月度回访", **people)
    assert (row["经办人"], row["经办人电话"]) == ("欧阳三", "13712345678")
    assert Export.objects.filter(personal=True, reason="月度回访").count() == 1
    assert OrderEvent.objects.filter(kind="personal_data_seen").count() == 1
    # the tick without a choice of columns includes all columns with people's data
    [row] = exported(staff, personal="on", reason="x")
    assert row["经办人电话"] == "13712345678"


@pytest.mark.parametrize("name", ["billing", "incidents", "differences", "customers"])
def test_a_list_without_people_offers_no_tick_for_them(settings, name, staff):
    """Otherwise the file would count as one with people's data, and would wait for a second person."""
    settings.EXPORT_SECOND_PERSON = True
    form = staff.get(new(name)).context["form"]
    assert "personal" not in form.fields
    staff.post(new(name), {"format": "csv", "columns": form["columns"].initial, "personal": "on", "reason": "x"})
    row = Export.objects.get()
    assert (row.personal, row.state) == (False, "done")


def test_who_may_not_see_people_gets_them_masked_whatever_is_posted(member):
    make.OrderFactory(oper_tel="13712345678")
    engineer = member("工程师")
    assert 'name="personal"' not in engineer.get(new("orders")).content.decode()
    [row] = exported(engineer, personal="on", reason="x", columns=["oper_tel"])
    assert row == {"经办人电话": "137***78"}
    assert not Export.objects.get().personal


RUBBISH = [
    "colour=red",
    "state__exact=nosuch",
    "oper_tel__startswith=137",
    "q=%00",
    "start=never",
    "state",
    "incident=99999999999999999999",
    "o=zz.1.-9",
    "p=0",
    "attribution__letters__exact=%2527",
    "&&",
    "q=" + "长" * 10_000,
]


@pytest.mark.parametrize("query", RUBBISH)
def test_rubbish_in_the_address_is_no_server_error(query, staff):
    make.OrderFactory()
    for response in (staff.get(new("orders", query)), staff.post(new("orders", query), FORM)):
        assert response.status_code in {200, 302}


def test_a_filter_that_the_list_does_not_know_leads_back_with_its_name(staff):
    assert staff.get(new("users")).status_code == 404  # there is no list of this name
    answer = staff.get(new("orders", "state__exact=nosuch"), follow=True)
    assert answer.redirect_chain == [(reverse("admin:orders_order_changelist"), 302)]
    assert "筛选项 state__exact 没有取值 nosuch" in answer.content.decode()


@pytest.mark.parametrize("form", [{}, {"format": "pdf"}, {"columns": []}, {"columns": ["content"]}])
def test_a_wrong_form_comes_back_with_its_error(member, form):
    response = member("业务人员").post(new("orders"), FORM | form if form else {})
    assert response.status_code == 200
    assert 'class="errorlist"' in response.content.decode()
    assert not Export.objects.exists()


def test_its_maker_downloads_it_again_and_nobody_else(member, client, staff):
    make.OrderFactory()
    exported(staff)
    row = Export.objects.get()
    again = staff.get(of("download", row))
    assert len(read_xlsx(body(again))) == 1
    assert "filename*=utf-8''%E8%AE%A2%E5%8D%95-" in again["Content-Disposition"]
    assert of("download", row) in staff.get(of("change", row)).content.decode()
    assert make.fresh(row).downloads == 2
    auditor = member("审计员")
    assert auditor.get(of("download", row)).status_code == 404
    assert "只有导出人可以下载文件" in auditor.get(of("change", row)).content.decode()


def test_auditors_see_all_exports_others_their_own(member):
    mine = make.ExportFactory(by="staff:me", query="state__exact=held&q=13712345678")
    other = make.ExportFactory(by="command:root", personal=True, reason="查 13712345678", columns=["number", "gone"])

    def listed(client, query=""):
        return set(client.get(reverse("admin:orders_export_changelist") + query).context["cl"].result_list)

    assert listed(member("审计员")) == {mine, other}
    assert listed(member("审计员"), "?personal=yes") == {other}
    assert listed(member("审计员"), "?q=me") == {mine}
    # a filter in the list of exports may name orders of any attribution
    assert listed(member("审计员", letters=["BJ"])) == set()
    assert listed(member("业务人员")) == set()
    for row in (mine, other):
        page = member("审计员").get(of("change", row)).content.decode()
        assert "13712345678" not in page
    assert "订单号, gone" in page


@pytest.mark.parametrize(
    "lose",
    [
        lambda user: user.groups.set(Group.objects.filter(name="工程师")),
        lambda user: user.groups.clear(),
        lambda user: make.limit_to(user, ["BJ"]),
    ],
)
def test_who_lost_a_right_downloads_no_more(lose, staff):
    make.OrderFactory()
    exported(staff, personal="on", reason="x")
    lose(staff.person)
    staff.force_login(staff.person)  # the session ended when the person lost the right
    row = Export.objects.get()
    assert staff.get(of("download", row)).status_code == 403
    assert of("download", row) not in staff.get(of("change", row)).content.decode()


def test_a_file_is_kept_for_seven_days(clock, export_dir, staff):
    make.OrderFactory()
    exported(staff)
    row = Export.objects.get()
    part = export_dir / "export-9-9.xlsx.part"
    part.write_bytes(b"x")
    assert row.expires_at == timezone.now() + datetime.timedelta(days=7)
    exports.remove_old_files(now=row.expires_at)
    assert (export_dir / row.file).exists()
    assert exports.remove_old_files(now=row.expires_at + datetime.timedelta(seconds=1)) == 1
    assert [path.name for path in export_dir.iterdir() if path.suffix == ".xlsx"] == []
    assert (make.fresh(row).file, row.state) == ("", "done")
    assert staff.get(of("download", row)).status_code == 404
    assert "文件已不再保留" in staff.get(of("change", row)).content.decode()


@pytest.mark.parametrize(
    "name",
    [
        "export-9-1.xlsx",
        "export-9-1.csv",
        "export-9-2.xlsx.part",
        "export-9-2.xlsx.sheet1.part",
        ".export-9-2.xlsx.sheets",
    ],
)
def test_what_no_row_names_is_removed_after_a_day(export_dir, name):
    """A process may be killed, or lose the database, after it has written a file and before the row names the file."""
    export_dir.mkdir()
    if name.endswith(".sheets"):
        (export_dir / name).mkdir()
        (export_dir / name / "tmp1").write_bytes(b"x")
    else:
        (export_dir / name).write_bytes(b"x")
    (export_dir / "other.xlsx").write_bytes(b"x")
    exports.remove_old_files(now=timezone.now() + exports.PARTS_KEPT - datetime.timedelta(minutes=1))
    assert (export_dir / name).exists()
    exports.remove_old_files(now=timezone.now() + exports.PARTS_KEPT + datetime.timedelta(minutes=1))
    assert [path.name for path in export_dir.iterdir()] == ["other.xlsx"]


def test_a_file_that_is_gone_is_no_server_error(export_dir, staff):
    make.OrderFactory()
    exported(staff)
    row = Export.objects.get()
    (export_dir / row.file).unlink()
    assert staff.get(of("download", row)).status_code == 404
    assert exports.remove_old_files(now=row.expires_at + datetime.timedelta(days=1)) == 1


def test_a_folder_that_cannot_be_written_is_told(member, settings, tmp_path, caplog):
    (tmp_path / "file").write_text("x")
    settings.EXPORT_DIR = tmp_path / "file" / "exports"
    make.OrderFactory()
    answer = member("业务人员").post(new("orders"), FORM, follow=True).content.decode()
    assert "文件未生成" in answer
    assert "文件无法写入，原因见日志" in answer
    assert Export.objects.get().state == "failed"
    assert "Not a directory" in caplog.text
    assert "Not a directory" not in answer


@pytest.mark.parametrize(
    "number, words",
    [
        (errno.ENOSPC, "磁盘空间不足"),
        (errno.EDQUOT, "磁盘空间不足"),
        (errno.EACCES, "没有写入"),
        (errno.EPERM, "没有写入"),
        (errno.EROFS, "只读"),
        (errno.EIO, "原因见日志"),
    ],
)
def test_why_a_file_could_not_be_written_is_told_in_chinese(member, monkeypatch, number, words):
    monkeypatch.setattr("xlsxwriter.workbook.ZipFile", Mock(side_effect=OSError(number, os.strerror(number))))
    make.OrderFactory()
    answer = member("业务人员").post(new("orders"), FORM, follow=True).content.decode()
    assert words in answer
    assert os.strerror(number) not in answer


def test_beyond_the_limit_a_worker_writes_it(monkeypatch, staff):
    monkeypatch.setattr("orders.office.exports.page.MAX_ROWS_AT_ONCE", 2)
    for _ in range(3):
        make.OrderFactory()
    assert "开始生成" in staff.get(new("orders")).content.decode()
    answer = staff.post(new("orders"), FORM, follow=True)
    row = Export.objects.get()
    assert answer.redirect_chain == [(of("change", row), 302)]
    assert 'http-equiv="refresh"' in answer.content.decode()
    assert OrmQ.objects.count() == 1
    assert row.state == "waiting"


def test_the_form_asks_the_same_however_long_the_list(member):
    page = (member("业务人员", letters=["BJ"]), new("orders"))
    make.OrderFactory()
    queries(*page)
    few = queries(*page)
    for _ in range(30):
        make.OrderFactory()
    assert queries(*page) == few <= 14
