"""A clerk schedules the export of a view: fills in the form, checks what would happen, and runs it by hand."""

import pytest

from tests.browser.test_access import is_fine
from tests.browser.test_exporting import fetched

LIST = "/admin/orders/scheduledexport/"
WORK = """
import django
django.setup()
from integrations import tasks
from orders.office.exports.models import Export
from tests.mails import send_mails
for row in Export.objects.filter(state="waiting"):
    tasks.export(row.pk)
send_mails()
"""


def test_a_clerk_schedules_a_view_and_runs_it_by_hand(visit, desk, tmp_path):
    page = visit("clerk")
    page.goto(LIST)
    page.get_by_role("link", name="新建定时导出").click()
    page.select_option("#id_view", label="订单 · 挂起的订单")
    page.fill("#id_name", "周一早报")
    for day in ("周二", "周三", "周四", "周五"):
        page.get_by_label(day, exact=True).uncheck()
    page.fill("#id_at", "07:30")
    page.get_by_role("button", name="预览").click()
    assert "07:30" in page.locator(".will").inner_text()
    assert page.get_by_label("周一", exact=True).is_checked()
    page.get_by_role("button", name="保存").click()
    page.wait_for_url("**/change/")
    assert "07:30" in page.locator(".lead").inner_text()
    page.get_by_role("button", name="立即运行").click()
    page.wait_for_url("**/orders/export/*/change/")
    desk.run("-c", WORK)
    page.reload()
    rows = fetched(page, page.get_by_role("link", name="下载", exact=True).click, tmp_path)
    assert rows[0] == ("订单号", "客户", "状态")
    page.get_by_role("link", name="周一早报").click()
    page.wait_for_url("**/scheduledexport/*/change/")
    assert "手动" in page.locator("table.rows").inner_text()
    page.get_by_role("button", name="停用").click()
    page.get_by_role("button", name="启用").wait_for()
    page.get_by_role("link", name="删除", exact=True).click()
    page.get_by_role("button", name="删除").click()
    page.wait_for_url(f"**{LIST}")
    assert "周一早报" not in page.locator("#result_list").inner_text()


def test_a_notice_that_was_given_up_is_sent_again(visit):
    page = visit("engineer")
    page.goto("/admin/notifications/mail/?state=failed&kind=staff")
    page.locator("#result_list tbody a").first.click()
    page.get_by_role("button", name="重新发送").click()
    page.locator(".messagelist", has_text="已重新发送").wait_for()


@pytest.mark.parametrize("address", ["", "new/", "1/change/", "1/edit/", "1/delete/"])
def test_the_pages_can_be_read_by_everybody(visit, address):
    page = visit("clerk")
    page.goto(LIST + address)
    if address == "1/edit/":
        page.get_by_role("button", name="预览").click()
        page.locator(".will").wait_for()
    is_fine(page)


def test_a_notice_can_be_read_by_everybody(visit):
    page = visit("engineer")
    page.goto("/admin/notifications/mail/?kind=staff")
    page.locator("#result_list tbody a").first.click()
    is_fine(page)
