"""The pages that import trials: a person uploads a workbook, checks it, and confirms. The result is orders with steps
and files.
"""

import datetime
import io
from pathlib import Path
from unittest.mock import Mock

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations import tasks
from orders.attachments import xlsx
from orders.models import Dispatch, Order, OrderEvent, Province
from orders.office.trials import enter_trials as trial_import
from orders.office.trials import uploads as trial_uploads
from orders.office.trials.models import TrialUpload
from tests import factories
from tests.admin.test_query_counts import queries
from tests.entering.workbooks import TITLES, cells, row, with_more, workbook
from tests.office.scheduling import colleague

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
UPLOAD, TEMPLATE = reverse("admin:orders_order_import"), reverse("admin:orders_order_import_template")
RIGHT_TEL = row()[TITLES.index("经办人电话")]


def another_clerk(letters=None):
    """Returns the client of a further clerk. `member` has only one client for all its people."""
    client = Client()
    client.force_login(colleague(letters=letters))
    return client


def upload(client, data, name="试用单.xlsx"):
    return client.post(UPLOAD, {"file": SimpleUploadedFile(name, data)})


def review(client, *rows):
    """Uploads a workbook with these rows, and returns the address of the page that shows them."""
    return upload(client, workbook(*rows))["Location"]


def verdicts(client, address):
    """Returns {row: (verdict, [cells])} as the page shows them."""
    rows = client.get(address).context["rows"]
    return {row.row: (row.verdict, [fault.cell for fault in row.faults]) for row, *_ in rows}


def test_an_upload_enters_nothing_and_shows_each_row(clerk):
    address = review(clerk, row("T1"), row("T2", EnterpriseName=None), row("T3", EnterpriseID="999A1"))
    assert not Order.objects.exists()
    assert not Dispatch.objects.exists()
    assert not OrderEvent.objects.exists()
    assert verdicts(clerk, address) == {2: ("new", []), 3: ("wrong", ["C3"]), 4: ("new", [])}
    text = clerk.get(address).content.decode()
    assert "企业名称：未填写" in text
    for chip in ('chip-green">可以录入<', 'chip-red">有误<', 'chip-amber">录入后挂起<'):
        assert chip in text
    assert "归属未知" in text  # the warning that T3 will be held
    assert "录入 2 条" not in text  # a workbook is entered as a whole or not at all


def test_the_review_shows_domains_start_and_volume_wrong_rows_first(clerk):
    many = ",".join(f"a{number}.example.com" for number in range(7))
    pasted = "https://www.example.com/p?phone=13812345678 b.example.com"
    address = review(
        clerk, row("T1", ProvContent=many), row("T2", ProvContent=pasted, DataFlow="很多"), row("T3", BizStart="明天")
    )
    page = clerk.get(address)
    found = {line.number: content for line, *_rest, content in page.context["rows"]}
    assert list(found) == ["T2", "T3", "T1"]
    assert (found["T1"]["start"], found["T1"]["volume"], found["T1"]["more"]) == ("2023-09-20", "1", 2)
    assert found["T2"]["domains"] == ["www.example.com", "b.example.com"]
    text = page.content.decode()
    for said in (
        "G3</b>\n订购流量：",
        "已取为域名：www.example.com<",
        "另有 2 个<",
        ">2023-09-20<",
        ">明天<",
        ">很多<",
    ):
        assert said in text
    assert "13812345678" not in str(TrialUpload.objects.get().report)
    TrialUpload.objects.update(report={name: TrialUpload.objects.get().report[name] for name in ("rows", "faults")})
    assert clerk.get(address).status_code == 200  # a report as version 1.12.0 stored it


@pytest.mark.usefixtures("apart")
def test_confirming_enters_all_once_with_the_person_s_name_and_the_file_is_not_kept(clerk):
    address = review(clerk, row("T1"), row("T2"))
    answer = clerk.post(address, follow=True)
    assert "已录入 2 条试用单。" in answer.content.decode()
    assert list(Order.objects.order_by("number").values_list("number", "state")) == [
        ("T1", "in_progress"),
        ("T2", "in_progress"),
    ]
    assert Dispatch.objects.filter(step="create_trial_billing", state="due").count() == 2
    actor = f"staff:{clerk.person.username}"
    assert set(OrderEvent.objects.filter(kind="entered").values_list("actor", flat=True)) == {actor}
    assert OrderEvent.objects.get(kind="trials_imported").actor == actor
    order = Order.objects.get(number="T1")
    assert reverse("admin:orders_order_change", args=[order.pk]) in clerk.get(address).content.decode()
    kept = TrialUpload.objects.get()
    assert (bytes(kept.data), kept.trials, kept.imported_at) == (b"", 2, timezone.now())
    assert "已经导入过" in clerk.post(address, follow=True).content.decode()
    assert Order.objects.count() == 2
    again = clerk.get(review(clerk, row("T1"), row("T2")))  # the same rows are recognised
    assert again.context["counts"] == {"new": 0, "known": 2, "wrong": 0}
    assert "已存在" in again.content.decode()
    assert '<button type="submit" class="button">' not in again.content.decode()


def test_confirming_checks_anew(clerk):
    """Somebody else enters the number with other content before the confirmation. Then nothing of the workbook is
    entered.
    """
    address = review(clerk, row("T1"), row("T2"))
    factories.TrialFactory(number="T2")
    answer = clerk.post(address, follow=True)
    assert "情况有变" in answer.content.decode()
    assert verdicts(clerk, address) == {2: ("new", []), 3: ("wrong", ["A3"])}
    assert list(Order.objects.values_list("number", flat=True)) == ["T2"]
    assert TrialUpload.objects.get().imported_at is None


def test_what_dies_in_the_middle_leaves_nothing_half(clerk, monkeypatch):
    address = review(clerk, row("T1"), row("T2"))
    real, entered = trial_import.enter_order, []

    def dies(content, **more):
        entered.append(content.number)
        if len(entered) == 2:
            raise KeyboardInterrupt
        return real(content, **more)

    monkeypatch.setattr(trial_import, "enter_order", dies)
    with pytest.raises(KeyboardInterrupt):
        clerk.post(address)
    assert not Order.objects.exists()
    monkeypatch.undo()
    clerk.post(address)
    assert Order.objects.count() == 2


def test_one_check_at_a_time_a_person_and_two_in_all(monkeypatch):
    """Each check occupies a thread of the web process, so a person may have one check at a time, and the desk two. A
    finished check no longer counts.
    """
    first, second, third = (another_clerk() for _ in range(3))
    meanwhile, told, read = iter([[first, second], [third]]), [], trial_uploads.read_workbook

    def slow(data):
        told.extend(upload(one, workbook(row("T2"))) for one in next(meanwhile, []))
        return read(data)

    monkeypatch.setattr(trial_uploads, "read_workbook", slow)
    assert upload(first, workbook(row("T1"))).status_code == 302
    said = [str(answer.context["form"].errors) if answer.status_code == 200 else answer.status_code for answer in told]
    assert "您的另一个文件正在检查" in said[0]
    assert said[2] == 302  # the second person's upload
    assert "同事的文件正在检查" in said[1]
    assert upload(third, workbook(row("T3"))).status_code == 302


def test_a_wrong_header_shows_what_is_wrong(clerk):
    address = upload(clerk, workbook(row("T1"), header=["颜色", *TITLES[1:]]))["Location"]
    text = clerk.get(address).content.decode()
    assert '<b class="mono">A1</b> 颜色：不是试用单的列' in text
    assert "订单号：表头缺少此列" in text


@pytest.mark.parametrize(
    "data, said",
    [(b"x", "这不是 xlsx 文件"), (b"PK\x03\x04" + b"x" * (5 * 1024 * 1024), "文件超过 5 MB"), (b"", "提交的是空文件")],
)
@pytest.mark.usefixtures("apart")
def test_a_file_that_cannot_be_taken_is_told_beside_the_field(clerk, data, said):
    answer = upload(clerk, data)
    assert answer.status_code == 200
    assert said in str(answer.context["form"].errors["file"])
    assert not TrialUpload.objects.exclude(data=b"").exists()


@pytest.mark.parametrize(
    "part, before, more, said",
    [
        ("xl/styles.xml", b"</cellXfs>", b"<xf/>" * 4_000, "单元格样式超过 4000 种"),
        ("xl/styles.xml", b"</fonts>", b"<font/>" * 4_000, "单元格样式超过 4000 种"),
    ],
    ids=["formats", "fonts"],
)
@pytest.mark.usefixtures("apart")
@pytest.mark.whole
def test_a_small_file_of_many_formats_is_refused(clerk, part, before, more, said):
    """A small file may unpack to a thousand times its size."""
    answer = upload(clerk, with_more(workbook(row("T1")), part, before=before, more=more))
    assert said in str(answer.context["form"].errors["file"])


@pytest.mark.usefixtures("apart")
@pytest.mark.whole
def test_a_small_file_of_millions_of_merged_cells_is_refused(clerk, monkeypatch, tmp_path):
    """The process that reads a workbook has limits of memory and processor time. The test gives it one second instead
    of eight.
    """
    program, bound = tmp_path / "xlsx.py", "CPU_SECONDS, LAST_SECONDS = 8, 4"
    text = Path(xlsx.PROGRAM).read_text()
    assert bound in text
    program.write_text(text.replace(bound, "CPU_SECONDS, LAST_SECONDS = 1, 9"))
    monkeypatch.setattr(xlsx, "PROGRAM", program)
    more = b"<mergeCell/>" * 4_000_000
    data = with_more(workbook(row("T1")), "xl/worksheets/sheet1.xml", before=b"</worksheet>", more=more)
    assert "合并单元格过多" in str(upload(clerk, data).context["form"].errors["file"])


def test_a_file_of_some_thousand_formats_is_taken(clerk):
    more = b"<xf/>" * 3_900
    data = with_more(workbook(row("T1")), "xl/styles.xml", before=b"</cellXfs>", more=more)
    assert upload(clerk, data).status_code == 302


def test_the_21st_workbook_of_a_person_within_a_day_is_refused(clerk, member):
    """Workbooks count whether they were imported or not. A workbook that was replaced is deleted, but counts until a
    day has passed.
    """
    done = review(clerk, row("T0"))
    assert clerk.post(done).status_code == 302
    maker, now = clerk.person, timezone.now()
    factories.TrialUploadFactory.create_batch(18, made_by=maker, imported_at=None, data=b"", made_at=now)
    review(clerk, row("T1"))
    answer = upload(clerk, workbook(row("T2")))
    assert "24 小时内您已上传 20 个工作簿" in str(answer.context["form"].errors["file"])
    last = TrialUpload.objects.exclude(data=b"").get()
    page = clerk.post(reverse("admin:orders_order_import_review", args=[last.pk]), follow=True)
    assert "已录入 1 条试用单" in page.content.decode()
    assert "24 小时内" in str(upload(clerk, workbook(row("T3"))).context["form"].errors["file"])
    other = member("业务人员")
    assert upload(other, workbook(row("T3"))).status_code == 302
    TrialUpload.objects.update(made_at=now - datetime.timedelta(days=1, seconds=1))
    assert upload(clerk, workbook(row("T3"))).status_code == 302


def test_a_workbook_that_cannot_be_read_counts_and_replaces_nothing(clerk):
    address = review(clerk, row("T1"))
    batch = {"made_by": clerk.person, "imported_at": None, "data": b"", "made_at": timezone.now()}
    factories.TrialUploadFactory.create_batch(18, **batch)
    assert "这不是 xlsx 文件" in str(upload(clerk, b"x").context["form"].errors["file"])
    assert f'href="{address}"' in clerk.get(UPLOAD).content.decode()
    assert clerk.get(address).status_code == 200
    assert "24 小时内您已上传 20 个工作簿" in str(upload(clerk, workbook(row("T2"))).context["form"].errors["file"])


def test_a_workbook_that_is_not_read_in_time_may_be_uploaded_again(clerk, monkeypatch):
    late = Mock(side_effect=xlsx.ProbeError("no verdict within 10.0 s"))
    with monkeypatch.context() as slow:
        slow.setattr("orders.office.trials.workbook.ask", late)
        assert "暂时无法读取" in str(upload(clerk, workbook(row("T1"))).context["form"].errors["file"])
    assert upload(clerk, workbook(row("T1"))).status_code == 302


@pytest.mark.parametrize("form", [{}, {"file": "x"}, {"file": "\0"}])
def test_nonsense_in_the_form_keeps_nothing(clerk, form):
    assert clerk.post(UPLOAD, form).status_code == 200
    assert not TrialUpload.objects.exists()


def test_an_upload_belongs_to_its_maker(clerk, client):
    address = review(clerk, row("T1"))
    other = factories.UserFactory()
    other.groups.set(clerk.person.groups.all())
    client.force_login(other)
    for url in (address, f"{address}annotated/"):
        assert client.get(url).status_code == 404
    assert client.post(address).status_code == 404
    assert not Order.objects.exists()


@pytest.mark.parametrize("role", ["工程师", "审计员"])
def test_who_may_not_enter_trials_does_not(member, role):
    mine = factories.TrialUploadFactory(imported_at=None)
    other = member(role)
    TrialUpload.objects.update(made_by=other.person)
    pages = [
        UPLOAD,
        TEMPLATE,
        *(reverse(f"admin:orders_order_import_{name}", args=[mine.pk]) for name in ("review", "annotated")),
    ]
    assert {other.get(page).status_code for page in pages} == {403}
    assert other.post(pages[2]).status_code == 403
    assert UPLOAD not in other.get(reverse("admin:orders_order_changelist")).content.decode()


def test_the_list_leads_here(clerk):
    text = clerk.get(reverse("admin:orders_order_changelist")).content.decode()
    assert f'href="{UPLOAD}"' in text
    assert f'href="{reverse("admin:orders_order_enter")}"' in text


def test_a_limited_person_enters_only_trials_of_their_attributions(member):
    beijing = member("业务人员", letters=["BJ"])
    rows = row("T1"), row("T2", EnterpriseID="210A1"), row("T3", Attribution="SH"), row("T4", EnterpriseID="999A1")
    address = review(beijing, *rows)
    wanted = {2: ("new", []), 3: ("wrong", ["L3"]), 4: ("wrong", ["L4"]), 5: ("wrong", ["L5"])}
    assert verdicts(beijing, address) == wanted
    beijing.post(address)
    assert not Order.objects.exists()
    beijing.post(review(beijing, row("T1")))
    assert Order.objects.get().attribution_id == "BJ"


def test_others_orders_answer_nothing():
    """The verdict about a row must not show that its number belongs to an order of another attribution, or what that
    order contains.
    """
    everybody, beijing = another_clerk(), another_clerk(letters=["BJ"])
    everybody.post(review(everybody, row("T1", EnterpriseID="210A1"), row("T2")))
    Order.objects.filter(number="T2").update(attribution_id="SH")  # as if staff had chosen the attribution
    assert Order.objects.count() == 2
    told = []
    for number, tel in (("T1", RIGHT_TEL), ("T1", "13900000000"), ("T9", "13900000000")):
        page = review(beijing, row(number, EnterpriseID="210A1", OperTel=tel))
        lines = [line for line, *_ in beijing.get(page).context["rows"]]
        told.append((verdicts(beijing, page), [fault.what() for line in lines for fault in line.faults]))
    assert told[0] == told[1] == told[2]
    assert told[0][0] == {2: ("wrong", ["L2"])}
    for tel in (RIGHT_TEL, "13900000000"):
        assert verdicts(beijing, review(beijing, row("T2", OperTel=tel))) == {2: ("wrong", ["A2"])}


def test_the_right_to_an_attribution_counts_when_it_is_confirmed(member):
    clerk = member("业务人员")
    address = review(clerk, row("T1"))
    factories.limit_to(clerk.person, ["SH"])
    clerk.force_login(clerk.person)  # the session ended when the person lost the right
    clerk.post(address)
    assert not Order.objects.exists()


def corrected(data, **texts):
    """Returns the workbook with corrected cells, as a person would save it in Excel."""
    book = openpyxl.load_workbook(io.BytesIO(data))
    for cell, text in texts.items():
        book.active[cell] = text
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_the_copy_can_be_put_right_and_uploaded(clerk):
    address = review(clerk, row("T1"), row("T2", EnterpriseName=None), row("T3", DataFlow="很多"))
    answer = clerk.get(f"{address}annotated/")
    assert "attachment" in answer["Content-Disposition"]
    copy, found = answer.content, cells(answer.content)
    assert (found["A2"], found["C3"]) == (("T1", ""), (None, "C3 企业名称：未填写"))
    book = openpyxl.load_workbook(io.BytesIO(copy))
    sheet = book.active
    assert (sheet["M1"].value, len(book.worksheets), sheet.freeze_panes) == ("需要改正", 2, "A2")
    assert (sheet["A1"].font.bold, sheet.column_dimensions["I"].width) == (True, 40)
    assert {str(rule.sqref) for rule in sheet.data_validations.dataValidation} == {
        f"{column}2:{column}501" for column in "DEFL"
    }
    told = verdicts(clerk, address)
    again = upload(clerk, copy)["Location"]
    assert verdicts(clerk, again) == told
    second = clerk.get(f"{again}annotated/").content
    assert "N1" not in cells(second)  # the desk's own column occurs once
    right = upload(clerk, corrected(second, C3="北京示例科技", G4="500"))["Location"]
    assert verdicts(clerk, right) == {2: ("new", []), 3: ("new", []), 4: ("new", [])}
    clerk.post(right)
    assert Order.objects.count() == 3


def test_a_copy_is_no_less_wrong_than_the_file(clerk):
    """Some cells are wrong because Excel changed their type. They must stay wrong in the copy with comments, although
    they are text there.
    """
    wrong = [
        row("T1", EnterpriseID="=1+1"),
        row("T2", EnterpriseName="#N/A"),
        row("T3", EnterpriseID=100231000792751830),
        row("T4", EnterpriseName=True),
        row("T5", EnterpriseName=datetime.date(2026, 1, 5)),
        row("T6", EnterpriseName=datetime.time(8, 0)),
    ]
    address = review(clerk, *wrong)
    told = verdicts(clerk, address)
    assert {verdict for verdict, _cells in told.values()} == {"wrong"}
    for _ in range(2):
        address = upload(clerk, clerk.get(f"{address}annotated/").content)["Location"]
        assert verdicts(clerk, address) == told
    given = {
        f"cell-{cell}": clerk.get(address).context["report"].rows[place].faults[0].in_cell
        for place, (_verdict, (cell,)) in enumerate(told.values())
    }
    clerk.post(address, given | {"correct": "1"})  # the person typed nothing
    assert verdicts(clerk, address) == told


def test_rows_are_put_right_in_the_page(clerk):
    address = review(clerk, row("T1"), row("T2", EnterpriseName=None, ProvContent="a.cn;*.b.cn"))
    page = clerk.get(address).content.decode()
    assert 'name="cell-C3"' in page
    assert "a.cn;*.b.cn</textarea>" in page
    clerk.post(address, {"correct": "1", "cell-C3": "北京示例科技", "cell-I3": "a.cn;*.c.cn", "cell-C2": "别的名称"})
    assert verdicts(clerk, address) == {2: ("new", []), 3: ("wrong", ["I3"])}
    copy = cells(clerk.get(f"{address}annotated/").content)
    assert (copy["C3"][0], copy["I3"][0]) == ("北京示例科技", "a.cn;*.c.cn")
    clerk.post(address, {"correct": "1", "cell-I3": " a.cn;b.cn "})
    clerk.post(address)
    assert dict(Order.objects.values_list("number", "enterprise_name")) == {"T1": "北京示例科技", "T2": "北京示例科技"}
    kept = TrialUpload.objects.get()
    assert (kept.corrections, bytes(kept.data)) == (None, b"")
    assert "已经导入过" in clerk.post(address, {"correct": "1", "cell-C2": "x"}, follow=True).content.decode()


def test_a_workbook_with_one_column_of_ours_among_forty(clerk):
    header = [*(f"列{place}" for place in range(39)), "订单号"]
    address = upload(clerk, workbook(["x"] * 39 + ["T1"], header=header))["Location"]
    report = clerk.get(address).context["report"]
    assert [fault.code for fault in report.faults].count("column_unknown") == 39
    copy = clerk.get(f"{address}annotated/").content
    assert "A1 列0：不是试用单的列" in cells(copy)["AO1"][0]
    again = clerk.get(upload(clerk, copy)["Location"]).context["report"]
    assert again.faults == report.faults


def test_a_row_with_nothing_but_our_remarks_is_empty(clerk):
    address = review(clerk, row("T1"), row("T2", EnterpriseName=None))
    copy = clerk.get(f"{address}annotated/").content
    emptied = corrected(copy, **{f"{column}3": None for column in "ABCDEFGHI"})
    assert verdicts(clerk, upload(clerk, emptied)["Location"]) == {2: ("new", [])}
    emptied = corrected(emptied, M2="只剩备注", **{f"{column}2": None for column in "ABCDEFGHI"})
    assert "表头下没有数据" in str(upload(clerk, emptied).context["form"].errors)


def test_the_template_can_be_filled_in_and_taken(clerk):
    answer = clerk.get(TEMPLATE)
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    header = [cell.value for cell in book.worksheets[0][1]]
    explained = {}
    for line in book.worksheets[1].iter_rows(values_only=True):
        explained.setdefault(line[0], line)  # the choices of a column are listed below it, with its name repeated
    assert set(header) <= set(explained)
    assert explained["归属"][1:3] == ("Attribution", "否")
    assert "BJ" in explained
    examples = [explained[title][3] for title in header]
    address = upload(clerk, workbook(examples, header=header))["Location"]
    assert verdicts(clerk, address) == {2: ("new", [])}


def test_no_cell_of_the_template_is_a_formula(clerk):
    Province.objects.create(letters="QQ", code="2999", name="=cmd|'/c calc'!A0")
    book = openpyxl.load_workbook(io.BytesIO(clerk.get(TEMPLATE).content))
    found = [cell for sheet in book for line in sheet.iter_rows() for cell in line if cell.value is not None]
    assert any(str(cell.value).startswith("=cmd") for cell in found)
    assert {cell.data_type for cell in found} == {"s"}


def test_the_template_names_a_limited_person_s_attributions_only(member):
    answer = member("业务人员", letters=["BJ"]).get(TEMPLATE)
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    first = {line[0] for line in book.worksheets[1].iter_rows(values_only=True)}
    assert "BJ" in first
    assert "SH" not in first


def test_what_nobody_confirms_is_not_kept(clerk, clock):
    review(clerk, row("T1"))
    address = review(clerk, row("T2"))
    # the second upload of the same person has replaced it
    [gone] = TrialUpload.objects.exclude(pk=int(address.split("/")[-2]))
    assert (bytes(gone.data), gone.report, gone.corrections) == (b"", {}, None)
    assert clerk.get(address.replace(address.split("/")[-2], str(gone.pk))).status_code == 404
    TrialUpload.objects.filter(pk=gone.pk).update(made_at=timezone.now() - datetime.timedelta(days=2))
    old = timezone.now() - datetime.timedelta(days=1, seconds=1)
    factories.TrialUploadFactory(imported_at=None, made_at=old)
    done = factories.TrialUploadFactory(made_at=old)
    tasks.tidy()
    assert set(TrialUpload.objects.values_list("pk", flat=True)) == {done.pk, int(address.split("/")[-2])}


@pytest.mark.parametrize("confirmed", [False, True])
def test_the_page_asks_no_more_for_many_rows(clerk, confirmed):
    def asked(*numbers):
        address = review(clerk, *map(row, numbers))
        if confirmed:
            clerk.post(address)
            clerk.get(address)  # shows the message of success, which appears only once
        return queries(clerk, address)

    few = asked("T1")
    assert asked(*(f"M{place}" for place in range(8))) == few
    assert few <= 10, few
    assert queries(clerk, UPLOAD) <= 8


def test_no_inline_code(clerk):
    for url in (UPLOAD, review(clerk, row("T1", EnterpriseName="<script>alert(1)</script>", BizStart="x"))):
        text = clerk.get(url).content.decode()
        assert "<style" not in text
        assert " style=" not in text
        assert "<script>alert" not in text
