"""Info-security files on an order's page: the result of their check, the first rows, and the download."""

import datetime

import openpyxl
import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from orders.texts.incident_texts import cause_of
from tests import factories
from tests.admin.orders import page, planned, staff, step

pytestmark = pytest.mark.django_db
NUMBER = "100A230920170127001"
NAME = f"{NUMBER}_50004020027_20230920191212.xlsx"
TABLE = f"{NUMBER}_50004020028_20230920191212.xlsx"


@pytest.fixture
def folder(settings, tmp_path):
    settings.ATTACHMENT_DIR = tmp_path / "attachments"
    settings.ATTACHMENT_DIR.mkdir()
    return settings.ATTACHMENT_DIR


@pytest.fixture
def reader(client):
    client.force_login(staff("see_personal_data"))
    return client


def write_book(path, rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


def order_with(check, name=NAME, number=NUMBER, **fields):
    order = planned("in_progress", number=number, info_security=name, first=False)
    step(order, "check_files", check, **fields)
    return order


def address(order, field="info_security"):
    return reverse("admin:orders_order_file", args=[order.pk, field])


def shown(client, order, query=""):
    return client.get(page(order, f"?tab=files{query}")).context


def test_the_first_rows_of_a_right_file(reader, folder):
    write_book(folder / NAME, [["域名", "电话"], ["a.example.com", "13712345678"], *([n] * 30 for n in range(40))])
    order = order_with("done")
    context = shown(reader, order, "&personal=1")
    assert context["files"][0].check == "right"
    assert context["rows"][1][:2] == ["a.example.com", "13712345678"]
    assert (len(context["rows"]), len(context["rows"][5])) == (20, 20)


PEOPLE = [
    "欧阳张三丰",
    "11010119900307123X",
    "310101198001011234",
    "+8613812345678",
    "010-62345678",
    "021 5888 1234",
    "诸葛@secret.example.com",
    "13712345678",
    "信息安全责任人",
]


@pytest.mark.parametrize("role", ["审计员", "工程师", "业务人员"])
def test_the_first_rows_are_people_s_data(member, folder, role):
    """The first rows of a file are shown to those who may open people's data, and each opening is noted. Others see
    the name and the result.
    """
    write_book(folder / NAME, [PEOPLE, ["a"] * len(PEOPLE)])
    order, clerk = order_with("done"), member(role)
    may = role == "业务人员"

    def told(query):
        answer = clerk.get(page(order, f"?tab=files{query}"))
        assert answer.status_code == 200
        text = answer.content.decode()
        assert NAME in text
        assert "chip-green" in text
        return [word for word in PEOPLE if word in text]

    for query in ("", "&file=info_security"):
        assert told(query) == []
    assert not order.events.exists()
    for query in ("&personal=1", "&personal=1&file=info_security"):
        assert told(query) == (PEOPLE if may else [])
    assert [event.kind for event in order.events.all()] == ["personal_data_seen"] * (2 if may else 0)
    assert clerk.get(address(order)).status_code == (200 if may else 403)


def test_no_rows_before_the_check_said_right_and_none_of_a_waived_file(reader, folder):
    write_book(folder / NAME, [["a"], ["b"]])
    for state in ("waiting", "due", "retrying"):
        assert shown(reader, order_with(state, number=f"{NUMBER}{state}"), "&personal=1")["rows"] is None
    order = order_with("done")
    factories.ApprovalRecordFactory(order=order, result="waive", source="staff")
    context = shown(reader, order, "&personal=1")
    assert (context["files"][0].check, context["rows"]) == ("waived", None)


@pytest.mark.parametrize("make", ["gone", "garbage", "link"])
def test_a_file_that_was_exchanged_does_no_harm(reader, folder, tmp_path, make):
    order = order_with("done")
    if make == "garbage":
        (folder / NAME).write_bytes(b"PK\x03\x04" + b"\0" * 500)
    if make == "link":
        write_book(tmp_path / "secret.xlsx", [["secret"], ["secret"]])
        (folder / NAME).symlink_to(tmp_path / "secret.xlsx")
    answer = reader.get(page(order, "?tab=files&personal=1"))
    assert answer.status_code == 200
    assert answer.context["rows"] is None
    assert reader.get(address(order)).status_code == (200 if make == "garbage" else 404)


def test_a_download_is_the_file_and_is_noted(reader, folder):
    (folder / NAME).write_bytes(b"the very bytes")
    order = order_with("done")
    assert reader.post(address(order)).status_code == 405
    answer = reader.get(address(order))
    assert b"".join(answer.streaming_content) == b"the very bytes"
    assert "attachment" in answer["Content-Disposition"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    event = order.events.get(kind="attachment_downloaded")
    assert (event.actor, event.data["file"]) == ("staff:wang", NAME)
    reader.get(address(order))
    assert order.events.filter(kind="attachment_downloaded").count() == 2


@pytest.mark.parametrize("field", ["busi_info", "number", "oper_tel", "content"])
def test_only_files_that_the_order_names(reader, folder, field):
    order = order_with("done")
    (folder / order.number).write_bytes(b"x")
    assert reader.get(address(order, field)).status_code == 404


def waived():
    order = order_with(
        "done", about={"findings": [{"file": NAME, "code": "missing", "message": "no such file", "why": {}}]}
    )
    factories.ApprovalRecordFactory(
        order=order, result="waive", source="staff", operator="staff:li", opinion="客户已补纸质材料"
    )
    return order


def test_a_waiver_is_shown_as_one_with_who_and_why(admin_client, folder, capsys):
    order = waived()
    lists = reverse("admin:orders_orderfiles_changelist")
    history = reverse("admin:approvals_approvalrecord_changelist")
    for url in (page(order), page(order, "?tab=files"), page(order, "?tab=approvals"), lists):
        text = admin_client.get(url).content.decode()
        assert "已豁免" in text, url
        assert "li" in text
        assert "客户已补纸质材料" in text, url
    assert "chip-green" not in admin_client.get(history).content.decode()
    stage = next(one for one, _way in admin_client.get(page(order)).context["ladder"] if one.key == "files")
    assert (stage.tone, stage.points != ()) == ("none", True)
    call_command("show", order.number)
    [line] = [line for line in capsys.readouterr().out.splitlines() if "check_files" in line]
    assert "已豁免" in line
    assert "客户已补纸质材料" in line


TWO_FINDINGS = [
    {"file": NAME, "code": "missing", "message": "no such file in the attachment folder", "why": {}},
    {"file": TABLE, "code": "empty", "message": "its first sheet has no data row below the heading", "why": {}},
]


def held_for_two():
    error = "; ".join(f"{one['file']}: {one['message']}" for one in TWO_FINDINGS)
    order = planned(
        "held", held_because="files", number=NUMBER, info_security=NAME, info_security_table=TABLE, first=False
    )
    step(
        order,
        "check_files",
        "retrying",
        error_code="missing",
        error=error,
        about={"findings": TWO_FINDINGS},
        next_try_at=timezone.now() + datetime.timedelta(minutes=4),
    )
    return order


def test_all_wrong_files_are_named_at_once_each_with_its_reason(client, folder):
    order = held_for_two()
    client.force_login(staff("resend_order", "waive_finding"))
    answer = client.get(page(order, "?tab=files"))
    told = [(one.check, one.cause, one.detail) for one in answer.context["files"]]
    assert told == [("wrong", cause_of(one["code"]), one["message"]) for one in TWO_FINDINGS]
    text = answer.content.decode()
    for words in (NAME, TABLE, "缺少信安文件", "没有数据"):
        assert words in text[: text.index('class="order-tabs"')], words
    will = client.get(reverse("admin:orders_order_decide", args=[order.pk, "waive"])).context["will"]
    assert sum(NAME in one or TABLE in one for one in will) == 2


def test_they_are_looked_at_again_by_a_button_with_a_permission_and_while_they_hold(client, folder):
    order = held_for_two()
    url = reverse("admin:orders_order_recheck", args=[order.pk])
    client.force_login(staff(name="li"))
    assert url not in client.get(page(order, "?tab=files")).content.decode()
    assert client.post(url).status_code == 403
    client.force_login(staff("resend_order"))
    held = order.dispatches.values("state", "next_try_at").get()
    order.dispatches.update(state="done", next_try_at=None)
    assert "未执行" in client.post(url, follow=True).content.decode()
    assert not order.events.exists()
    order.dispatches.update(**held)
    assert url in client.get(page(order, "?tab=files")).content.decode()
    assert client.get(url).status_code == 405
    told = client.post(url, follow=True).content.decode()
    assert "正在检查文件" in told
    assert 'content="5;url=?tab=files&amp;watch=59"' in told
    assert order.dispatches.get().next_try_at <= timezone.now()
    assert order.events.get(kind="files_looked_at").actor == "staff:wang"


def test_no_link_where_no_file_is(reader, folder):
    order = order_with("done")
    assert address(order) not in reader.get(page(order, "?tab=files")).content.decode()
    write_book(folder / NAME, [["a"], ["b"]])
    assert address(order) in reader.get(page(order, "?tab=files")).content.decode()


@pytest.mark.parametrize(
    "name",
    [
        "100A230920170127002_50004020027_20230920191212.xlsx",  # the number of another order
        f"{NUMBER}_50004020028_20230920191212.xlsx",  # the code of another kind of file
        f"{NUMBER}_50004020027_20231320191212.xlsx",  # not a real time
        "secret.xlsx",
        *("..", ".", "folder", "../secret.xlsx", "a/../../secret.xlsx", "/etc/hostname"),
    ],
)
def test_only_the_orders_own_files_are_handed_out(reader, folder, name):
    order = order_with("waiting", name=name)
    (folder / "folder").mkdir()
    for path in (folder.parent / "secret.xlsx", folder / name):
        if path.suffix and not path.exists() and path.parent.exists():
            write_book(path, [["a"], ["b"]])
    assert address(order) not in reader.get(page(order, "?tab=files")).content.decode()
    assert reader.get(address(order)).status_code == 404
    assert not order.events.exists()
