"""A clerk acts on many rows: on three ticked rows and on all that match. A run is stopped and continued, and an
engineer resends after an outage.
"""

import pytest

from tests.browser.pages import MAIN, open_first
from tests.browser.test_access import is_fine

TICKS = "#result_list input[name=pick]"
WORK = """
from integrations import tasks
from orders.office.bulk.models import BulkRun
for pk in BulkRun.objects.filter(state="waiting").values_list("pk", flat=True):
    tasks.bulk(pk)
"""


def confirm(page, act, reason):
    """Confirms on the page of the dry run, and waits for the page of the bulk run."""
    page.fill("#id_reason", reason)
    page.get_by_role("button", name=act).click()
    page.wait_for_url("**/bulkrun/*/change/")


def counts(page):
    return page.locator(".decide .will").first.locator("li").all_inner_texts()


def test_a_clerk_writes_a_note_on_three_ticked_orders(visit):
    page = visit("clerk")
    page.goto(MAIN["orders"] + "?state__exact=active")
    numbers = [cell.split()[0] for cell in page.locator("#result_list th.field-number").all_inner_texts()[:3]]
    for place in range(3):
        page.locator(TICKS).nth(place).check()
    page.get_by_role("button", name="添加备注").click()
    assert "3 行" in page.locator(".carried").inner_text()
    confirm(page, "添加备注", "已电话核实")
    assert counts(page) == ["3 已执行", "0 跳过"]
    for number in numbers:
        page.goto(MAIN["orders"] + f"?q={number}")
        open_first(page)
        page.goto(page.url.split("?")[0] + "?tab=events")
        assert "已电话核实" in page.locator("main, #content").first.inner_text()


def test_the_tick_in_the_heading_ticks_the_page(visit):
    page = visit("clerk")
    page.goto(MAIN["orders"])
    page.get_by_label("本页各行").check()
    assert page.locator(f"{TICKS}:checked").count() == page.locator(TICKS).count() > 20
    assert page.locator(".bulk .ticked").inner_text() == str(page.locator(TICKS).count())
    page.get_by_label("本页各行").uncheck()
    assert page.locator(f"{TICKS}:checked").count() == 0


def test_all_that_match_are_worked_off_in_the_background_stopped_and_gone_on_with(visit, desk):
    page = visit("clerk")
    page.goto(MAIN["orders"])
    assert not page.locator(".bulk").is_visible()
    page.locator(TICKS).first.check()
    assert page.locator(".bulk .ticked").inner_text() == "1"
    page.locator(".bulk").get_by_label("全部").check()
    assert page.locator(f"{TICKS}:checked").count() == 0
    assert page.locator(".bulk .ticked").inner_text() == "0"
    page.get_by_role("button", name="添加备注").click()
    confirm(page, "添加备注", "批量通知")
    total = counts(page)[2].split()[0]
    assert int(total) > 20
    page.get_by_role("button", name="停止").click()
    page.get_by_text("已由人工停止").wait_for()
    desk.run("manage.py", "shell", "-c", WORK)
    page.reload()
    assert counts(page) == ["0 已执行", "0 跳过", f"{total} 行待执行"]
    page.get_by_role("button", name="继续").click()
    page.get_by_text("排队中").wait_for()
    desk.run("manage.py", "shell", "-c", WORK)
    page.reload()
    assert counts(page) == [f"{total} 已执行", "0 跳过"]


def test_an_engineer_resends_after_an_outage(visit):
    page = visit("engineer")
    page.goto(MAIN["orders"] + "?stuck=bpm")
    # only this order, because other tests need the others
    number = page.locator("#result_list th.field-number a").last.inner_text()
    page.goto(f"{MAIN['orders']}?stuck=bpm&q={number}")
    page.get_by_role("link", name="批量重发此列表中的失败步骤").click()
    confirm(page, "重发失败步骤", "BPM 已恢复")
    assert counts(page)[1] == "0 跳过"
    assert "个仍在进行" in page.locator(".decide").inner_text()


@pytest.mark.parametrize(
    "address",
    [
        "/admin/orders/bulkrun/new/attribute/?every=1&needs=somebody",
        "/admin/orders/bulkrun/",
        "/admin/orders/bulkitem/",
        "the run",
    ],
)
def test_the_pages_can_be_read_by_everybody(visit, address):
    page = visit("clerk")
    if address == "the run":
        page.goto("/admin/orders/bulkrun/new/note/?every=1&needs=somebody")
        confirm(page, "添加备注", "按客户经理确认")
    else:
        page.goto(address)
    is_fine(page)
