"""Staff upload a file for a held order (contract 3.7): where it is stored, who may upload, and that only the check
lets the order go on.
"""

import datetime
import hashlib
import os
import re

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from orders.models import Attempt, Order
from orders.sending.record import record_outcomes
from tests.admin.orders import page, staff
from tests.files import books
from tests.files.conftest import check_of, outcome_under_way

RIGHT, OTHER = books.book(), books.book(["a"], ["b"])


@pytest.fixture
def clerk(client, db):
    client.force_login(staff("upload_file"))
    return client


def address(order, field="info_security"):
    return reverse("admin:orders_order_upload", args=[order.pk, field])


def upload(client, order, data, field="info_security", **more):
    """Uploads a file and returns the messages on the page."""
    file = SimpleUploadedFile("../../随便 起的名.doc", data)
    answer = client.post(address(order, field), {"file": file}, follow=True, **more)
    return " ".join(str(one) for one in answer.context["messages"])


def lying(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def is_held(order):
    row = Order.objects.get(pk=order.pk)
    return (row.state, row.held_because, check_of(order).state) == ("held", "files", "retrying")


def test_an_upload_lies_under_the_messages_name_and_is_looked_at_now(clerk, folder, order):
    assert address(order) in clerk.get(page(order, "?tab=files")).content.decode()
    assert "已放入附件目录" in upload(clerk, order, RIGHT)
    assert lying(folder) == {order.info_security: RIGHT}
    assert is_held(order)  # the order goes on only after the check
    assert check_of(order).next_try_at <= timezone.now()
    assert OrmQ.objects.count() == 1
    event = order.events.get(kind="file_uploaded")
    told = {"file": order.info_security, "size": len(RIGHT), "sha256": hashlib.sha256(RIGHT).hexdigest(), "kept": ""}
    assert (event.actor, event.data) == ("staff:wang", told | {"caller": "127.0.0.1"})
    assert f"上传了文件：{order.info_security}" in clerk.get(page(order, "?tab=events")).content.decode()


def test_each_file_that_was_replaced_is_kept(clerk, held, folder, order):
    """Each replaced file is kept, also if two uploads come within a second, and if the old file is a link or a
    folder.
    """
    for data in (OTHER, RIGHT, OTHER):
        upload(clerk, order, data)
    name = re.escape(order.info_security)
    kept = {found: data for found, data in lying(folder).items() if found != order.info_security}
    assert sorted(kept.values()) == sorted([OTHER, RIGHT])
    assert all(re.fullmatch(rf"{name}\.replaced-[0-9]{{14}}(-2)?", found) for found in kept)
    assert (folder / order.info_security).read_bytes() == OTHER
    for other, make in ((held(), "link"), (held(), "folder")):
        path = folder / other.info_security
        path.symlink_to("/etc/hostname") if make == "link" else path.mkdir()
        upload(clerk, other, RIGHT)
        assert (path.read_bytes(), path.is_symlink()) == (RIGHT, False)


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "不是 xlsx"),
        (b"\x89PNG" + b"\0" * 100, "不是 xlsx"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 100, "密码"),
        (b"PK\x03\x04" + b"\0" * (20 * 1024 * 1024), "20 MB"),
    ],
)
def test_what_can_t_be_right_changes_nothing(clerk, folder, data, words, order):
    (folder / order.info_security).write_bytes(RIGHT)
    told = upload(clerk, order, data)
    assert "信安文件：" in told
    assert words in told
    assert lying(folder) == {order.info_security: RIGHT}
    assert is_held(order)
    assert not order.events.exists()


def test_a_hundred_megabytes_are_refused_before_they_are_read(clerk, held, folder):
    """This address accepts 21 MiB, and all others accept 16."""
    order, size = held(), 100 * 1024 * 1024
    for url, length, words in ((address(order), size, "20 MB"), (page(order), 17 * 1024 * 1024, "16 MB")):
        answer = clerk.generic("POST", url, b"", CONTENT_LENGTH=length, content_type="multipart/form-data; boundary=x")
        assert (answer.status_code, words in answer.content.decode()) == (413, True)
    answer = clerk.generic("POST", page(order), b"", CONTENT_LENGTH=16 * 1024 * 1024)
    assert answer.status_code == 403
    assert lying(folder) == {}


def test_what_a_killed_process_left_is_removed_after_a_day(db, folder):
    """Files of others are not removed, and neither is a file that may still be being written."""
    old = (timezone.now() - datetime.timedelta(hours=25)).timestamp()
    for name in (".upload-old", ".upload-new", "100A1.xlsx.replaced-20230920170126"):
        (folder / name).write_bytes(RIGHT)
        os.utime(folder / name, None if name == ".upload-new" else (old, old))
    assert "1 parts of uploads" in tasks.tidy()
    assert sorted(lying(folder)) == [".upload-new", "100A1.xlsx.replaced-20230920170126"]


def test_a_folder_that_is_away_hinders_no_tidying(db, settings, tmp_path):
    settings.ATTACHMENT_DIR = tmp_path / "nothing"
    assert "0 parts of uploads" in tasks.tidy()


def test_without_a_file_or_with_a_full_disk(clerk, folder, settings, order):
    told = clerk.post(address(order), follow=True).context["messages"]
    assert "请先选择文件" in str(list(told)[0])
    settings.ATTACHMENT_DIR = folder / "file"
    settings.ATTACHMENT_DIR.write_bytes(b"")
    assert "无法写入" in upload(clerk, order, RIGHT)
    assert not order.events.exists()


def test_a_check_of_the_old_file_does_not_count(clerk, folder, order):
    """The check began before the upload, so its result `all right` is about the old file."""
    outcome = outcome_under_way(order, result=Attempt.Outcome.OK)
    upload(clerk, order, OTHER)
    record_outcomes([outcome], now=timezone.now())
    assert is_held(order)
    assert check_of(order).next_try_at <= timezone.now()


@pytest.mark.parametrize(
    "name",
    [
        "100A230920170127002_50004020027_20230920191212.xlsx",
        "a_50004020027_20231320191212.xlsx",
        "..",
        "../x.xlsx",
        "/etc/x.xlsx",
        "CON",
    ],
)
def test_no_upload_cures_a_name_of_bboss(clerk, folder, name, order):
    """The page says at its top that BBOSS's name is wrong, and what can be done."""
    Order.objects.filter(pk=order.pk).update(info_security=name)
    assert "BBOSS" in upload(clerk, order, RIGHT)
    assert (list(folder.parent.rglob("*.xlsx")), is_held(order)) == ([], True)
    text = clerk.get(page(order, "?tab=files")).content.decode()
    assert text.index("撤单后") < text.index('<table class="rows')
    assert address(order) not in text


def test_only_for_what_is_held_by_whoever_may(clerk, client, folder, order):
    assert clerk.get(address(order)).status_code == 405
    assert clerk.post(address(order, "content")).status_code == 404
    assert "没有" in upload(clerk, order, RIGHT, field="busi_info")
    Order.objects.filter(pk=order.pk).update(state="in_progress", held_because="")
    assert "不是因信安文件挂起" in upload(clerk, order, RIGHT)
    assert address(order) not in clerk.get(page(order, "?tab=files")).content.decode()
    client.force_login(staff(name="li"))
    assert client.post(address(order)).status_code == 403
    assert lying(folder) == {}


def acts(client, order):
    """Returns the buttons of the toolbar: (address, whether it is the blue one)."""
    text = client.get(page(order)).content.decode()
    shown = re.search(r'<div class="order-tools">(.*?)</div>', text, re.DOTALL)
    links = re.findall(r'<a\s+class="button( quiet-button)?"\s+href="([^"]*)"', shown[1])
    return [(url, not quiet) for quiet, url in links]


def test_uploading_is_the_first_act_of_who_may(client, held):
    order, waive = held(), staff("waive_finding")
    there, waiving = "?tab=files#tabs", reverse("admin:orders_order_decide", args=[order.pk, "waive"])
    client.force_login(staff("upload_file", "waive_finding", name="both"))
    assert acts(client, order) == [(there, True), (waiving, False)]
    client.force_login(staff("upload_file", name="clerk"))
    assert acts(client, order) == [(there, True)]
    client.force_login(waive)
    assert acts(client, order) == [(waiving, True)]
    waive.user_permissions.remove(Permission.objects.get(codename="view_orderfiles"))
    waive.user_permissions.add(Permission.objects.get(codename="upload_file"))
    client.force_login(waive)
    assert acts(client, order) == [(waiving, True)]  # the page has no such tab


def test_where_no_upload_helps_waiving_is_the_first_act(client, order):
    Order.objects.filter(pk=order.pk).update(info_security=f"{order.number}_50004020028_20230920170126.xlsx")
    client.force_login(staff("upload_file", "waive_finding"))
    assert acts(client, order) == [(reverse("admin:orders_order_decide", args=[order.pk, "waive"]), True)]
