"""Info-security files on the page: what the check said, the first rows, the download."""

import openpyxl
import pytest
from django.urls import reverse

from tests import factories
from tests.admin.orders import page, planned, staff, step

pytestmark = pytest.mark.django_db
NAME = "100A230920170127001_50004020027_20230920191212.xlsx"


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


def order_with(check, name=NAME, **fields):
    order = planned("in_progress", info_security=name, first=False)
    step(order, "check_files", check, **fields)
    return order


def address(order, field="info_security"):
    return reverse("admin:orders_order_file", args=[order.pk, field])


def shown(client, order, query=""):
    return client.get(page(order, f"?tab=files{query}")).context


def test_the_first_rows_of_a_right_file(reader, folder):
    write_book(folder / NAME, [["域名", "电话"], ["a.example.com", "13712345678"], *([n] * 30 for n in range(40))])
    context = shown(reader, order_with("done"))
    assert context["files"][0].check == "right"
    assert context["rows"][1][:2] == ["a.example.com", "137***78"]
    assert (len(context["rows"]), len(context["rows"][5])) == (20, 20)
    assert shown(reader, order_with("done"), "&personal=1")["rows"][1][1] == "13712345678"


def test_no_rows_before_the_check_said_right(reader, folder):
    write_book(folder / NAME, [["a"], ["b"]])
    for state in ("waiting", "due", "retrying"):
        assert shown(reader, order_with(state))["rows"] is None


def test_a_finding_is_told_in_words(reader, folder):
    context = shown(reader, order_with("retrying", error_code="empty", error=f"{NAME}: no data row"))
    assert (context["files"][0].check, context["files"][0].detail) == ("wrong", "no data row")


def test_a_waived_file_is_not_opened(reader, folder):
    write_book(folder / NAME, [["a"], ["b"]])
    order = order_with("done")
    factories.ApprovalRecordFactory(order=order, result="waive", source="staff")
    context = shown(reader, order)
    assert (context["files"][0].check, context["rows"]) == ("waived", None)


@pytest.mark.parametrize("make", ["gone", "garbage", "link"])
def test_a_file_that_was_exchanged_does_no_harm(reader, folder, tmp_path, make):
    order = order_with("done")
    if make == "garbage":
        (folder / NAME).write_bytes(b"PK\x03\x04" + b"\0" * 500)
    if make == "link":
        write_book(tmp_path / "secret.xlsx", [["secret"], ["secret"]])
        (folder / NAME).symlink_to(tmp_path / "secret.xlsx")
    answer = reader.get(page(order, "?tab=files"))
    assert answer.status_code == 200
    assert answer.context["rows"] is None
    assert reader.get(address(order)).status_code == (200 if make == "garbage" else 404)


def test_a_download_is_the_file_and_is_noted(reader, folder):
    (folder / NAME).write_bytes(b"the very bytes")
    order = order_with("done")
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


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/../../secret", ".", "..", "folder"])
def test_never_outside_the_folder(reader, folder, name):
    (folder.parent / "secret").write_bytes(b"secret")
    (folder / "folder").mkdir()
    order = order_with("done", name=name)
    assert reader.get(address(order)).status_code == 404
    assert not order.events.exists()


def test_strangers_get_nothing(client, folder):
    (folder / NAME).write_bytes(b"x")
    order = order_with("done")
    assert client.get(address(order))["Location"].startswith(reverse("admin:login"))


def test_a_download_is_only_read(reader, folder):
    (folder / NAME).write_bytes(b"x")
    assert reader.post(address(order_with("done"))).status_code == 405
