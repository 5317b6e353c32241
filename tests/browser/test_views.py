"""A clerk filters a list, chooses its columns, and saves this as a view. The clerk changes and shares the view, and a
colleague opens it.
"""

import pytest

from tests.browser.browsing import stranger
from tests.browser.pages import MAIN, open_first
from tests.browser.test_access import LOOKS, is_fine

ORDERS = MAIN["orders"]
VIEWS = "/admin/orders/savedview/"
FEW = f"{ORDERS}?state__exact=held"  # a short list; test_access.py checks the long one


def save(page, name):
    page.get_by_text("保存为视图", exact=True).click()
    page.fill("#view-name", name)
    page.get_by_role("button", name="保存", exact=True).click()
    page.wait_for_url("**view=*")


def headings(page):
    texts = (text.strip() for text in page.locator("#result_list thead th").all_inner_texts())
    return [text for text in texts if text]  # without the column of tick boxes, which has no text


def tab(page, name):
    return page.locator(".view-tabs a", has_text=name)


def test_from_a_filter_to_a_view_that_a_colleague_opens(visit):
    page = visit("clerk")
    page.goto(ORDERS + "?state__exact=failed")
    page.locator(".view-acts summary", has_text="列").click()
    for label in ("类型", "业务类型"):
        page.get_by_label(label, exact=True).uncheck()
    page.get_by_label("发送次数", exact=True).check()
    page.locator(".columns-form button").click()
    page.wait_for_url("**columns=*")
    shown = ["订单号", "客户", "状态", "时限", "处理人", "归属", "业务开始日", "接收时间"]
    assert headings(page) == [*shown, "发送次数"]
    save(page, "失败单（常看）")
    assert tab(page, "失败单（常看）").get_attribute("aria-current") == "page"
    count = tab(page, "失败单（常看）").locator(".view-count")
    page.wait_for_function("document.querySelector('[aria-current] .view-count').textContent !== ''")
    assert int(count.inner_text()) == int(page.locator(".paginator .count").inner_text().split()[0])
    page.locator("#result_list thead").get_by_role("link", name="发送次数").click()
    page.wait_for_url("**o=attempts*")
    assert page.get_by_text("按此列排序时，只显示有步骤失败或正在重试的订单。").is_visible()
    page.get_by_role("button", name="更新视图").click()
    page.wait_for_selector(".messagelist .success")
    assert page.get_by_role("button", name="更新视图").count() == 0
    page.goto(VIEWS)
    page.get_by_role("link", name="失败单（常看）").click()
    page.select_option("#view-role", label="角色为“业务人员”的所有人")
    page.get_by_role("button", name="共享").click()
    page.wait_for_selector(".messagelist .success")
    other = visit("beijing")
    other.goto(ORDERS)
    tab(other, "失败单（常看）").click()
    other.wait_for_url("**view=*")
    assert headings(other) == headings(page) or headings(other)[-1] == "发送次数"
    assert other.get_by_role("button", name="更新视图").count() == 0


def open_received(page):
    page.locator(".finder .filter > summary").click()
    page.locator(".filter-kind summary", has_text="接收时间").click()


def test_two_days_without_a_keyboard_for_addresses(visit):
    page = visit("clerk")
    page.goto(ORDERS)
    open_received(page)
    menu = page.locator(".filter-kind[open] .days")
    box = page.locator(".filter[open] .filter-menu").bounding_box()
    assert box["x"] + box["width"] <= 1280
    menu.get_by_label("起始日").fill("2026-11-01")
    menu.get_by_role("button", name="显示").click()
    page.wait_for_url("**received=2026-11-01..")
    assert "从 2026-11-01 起" in page.locator(".filter-set").inner_text()


def test_tabs_are_there_without_a_script(browser, desk, visit):
    state = visit("clerk").context.storage_state()
    plain = stranger(browser, desk.url, java_script_enabled=False, storage_state=state)
    plain.goto(ORDERS)
    tab(plain, "卡在 BPM").click()
    plain.wait_for_url("**stuck=bpm**")
    plain.locator(".view-acts summary", has_text="保存为视图").click()
    plain.fill("#view-name", "无脚本")
    plain.locator(".save-form button").click()
    plain.wait_for_url("**view=*")
    assert tab(plain, "无脚本").get_attribute("aria-current") == "page"
    plain.context.close()


@pytest.mark.parametrize("what", ["columns", "save", "changed", "views", "view"])
def test_it_can_be_read_by_everybody(visit, what):
    page = visit("keeper")
    page.goto(FEW)
    if what == "columns":
        page.locator(".view-acts summary").first.click()
    elif what == "save":
        page.locator(".view-acts summary").last.click()
    else:
        save(page, what)
        page.goto(f"{page.url}&needs=somebody" if what == "changed" else VIEWS)
    if what == "view":
        open_first(page)
    is_fine(page)


@pytest.mark.parametrize("size, scheme", LOOKS)
def test_the_days_can_be_read_by_everybody(visit, size, scheme):
    """The menu of a range of days is readable in each look. A script computes its place when it opens."""
    page = visit("keeper", size=size, scheme=scheme)
    page.goto(FEW)
    open_received(page)
    is_fine(page, [(size, scheme)])
