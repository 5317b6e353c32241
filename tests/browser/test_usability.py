"""Counts the clicks and typed texts of common tasks in a browser, from the first page of a person who has signed in.

Each click counts as one, and so does each key outside of a text and each choice in a menu. A text counts as one,
however long it is.
"""

import re

import openpyxl
import pytest

from tests.browser.test_entering import NEW, XLSX
from tests.entering.workbooks import row, workbook

FIND, ENTER, ENTER_FIFTY, PAYS_NOW = (2, 1), (4, 6), (6, 0), (2, 1)  # (clicks, texts)
EXPORT_MONTH, REPEAT_FAILED, WAITS_LONGEST = (6, 0), (3, 1), (2, 0)
TRIAL = {
    "OrderNum": "100A26U1",
    **NEW,
    "EnterpriseName": "北京示例科技",
    "DataFlow": "1",
    "BizStart": "2026-09-30",
    "ProvContent": "u1.example.com",
}


class Hand:
    """Does what a person does on a page, and counts clicks and texts."""

    def __init__(self, page):
        self.page, self.clicks, self.texts = page, 0, 0
        page.goto("/admin/")

    def click(self, name: str, *, role: str = "link", within: str = "body", exact: bool = True) -> None:
        self.clicks += 1
        self.page.locator(within).get_by_role(role, name=name, exact=exact).first.click()

    def click_on(self, place: str) -> None:
        self.clicks += 1
        self.page.locator(place).first.click()

    def open(self, name: str) -> None:
        """Opens a filter's menu in the list."""
        self.clicks += 1
        self.page.locator("details.filter summary", has_text=name).first.click()

    def press(self, key: str) -> None:
        self.clicks += 1
        self.page.keyboard.press(key)

    def type(self, text: str, *, into: str = "") -> None:
        self.texts += 1
        if into:
            self.page.fill(into, text)
        else:
            self.page.keyboard.type(text)

    def choose(self, label: str, value: str) -> None:
        self.clicks += 1
        self.page.select_option(label, value)


@pytest.fixture
def hand(visit):
    """Returns a function. `hand("clerk")` returns the `Hand` of this person, on the first page."""
    return lambda user: Hand(visit(user))


def test_find_by_last_digits(hand):
    one = hand("clerk")
    numbers = re.findall(r"/order/\d+/change/[^>]*>(\w+)</a>", one.page.request.get("/admin/orders/order/").text())
    # seven digits, because the end of a shorter number may occur in other numbers too
    number = next(found for found in numbers if found[-7:].isdigit())
    one.press("/")
    one.type(number[-7:])
    one.press("Enter")
    one.page.wait_for_url("**/order/*/change/")
    assert one.page.locator("h1").inner_text() == number
    assert (one.clicks, one.texts) == FIND


def test_enter_a_trial(hand):
    one = hand("clerk")
    one.click("订单", within="#nav-sidebar")
    one.click("录入试用单")
    for name, text in TRIAL.items():
        one.type(text, into=f"[name={name}]")
    one.choose("[name=BusinessType]", "1")
    one.click("录入", role="button", within="#content")
    one.page.wait_for_url("**/change/**")
    assert one.page.locator("h1").inner_text() == TRIAL["OrderNum"]
    assert (one.clicks, one.texts) == ENTER


def test_enter_fifty(hand):
    one = hand("clerk")
    one.click("订单", within="#nav-sidebar")
    one.click("批量导入试用单")
    book = workbook(*(row(f"100A26U5{number:02}", **NEW) for number in range(50)))
    one.clicks += 2  # one for the button, and one for the file in the window that it opens
    one.page.set_input_files("input[type=file]", {"name": "试用单.xlsx", "mimeType": XLSX, "buffer": book})
    one.click("上传并检查", role="button", within="#content", exact=False)
    one.click("录入 50 条", role="button", within="#content", exact=False)
    one.page.wait_for_selector(".messagelist")
    assert "已录入 50 条试用单" in one.page.locator(".messagelist").inner_text()
    assert (one.clicks, one.texts) == ENTER_FIFTY


def test_what_a_customer_pays_now(hand):
    one = hand("clerk")
    one.press("/")
    one.type("云帆")
    one.page.wait_for_selector(".find-results a")
    one.click("北京云帆", within=".find-results section:has-text('客户')", exact=False)
    one.page.wait_for_url("**/customer/*/change/**")
    assert "当前话单" in one.page.locator("[aria-current]").last.inner_text()
    assert (one.clicks, one.texts) == PAYS_NOW


def test_export_my_province_s_month(hand, tmp_path):
    one = hand("beijing")
    one.click("订单", within="#nav-sidebar")
    one.open("筛选")
    one.open("接收时间")
    one.click("本月", within="details[open]")
    one.click("导出")
    with one.page.expect_download() as download:
        one.click("下载", role="button", within="#content")
    download.value.save_as(tmp_path / "month.xlsx")
    header, *rows = openpyxl.load_workbook(tmp_path / "month.xlsx").active.iter_rows(values_only=True)
    assert {row[header.index("归属")] for row in rows} == {"北京"}
    assert (one.clicks, one.texts) == EXPORT_MONTH


def test_repeat_what_failed_in_an_outage(hand):
    one = hand("engineer")
    one.click("对方认为订单内容有误。", within="#content")
    one.click("重发", within="#content", exact=False)
    one.type("大数据侧已恢复", into="#id_reason")
    one.click_on(".acts button[type=submit]")
    one.page.wait_for_url("**/bulkrun/*/change/**")
    assert (one.clicks, one.texts) == REPEAT_FAILED


def test_what_waits_longest(hand):
    one = hand("clerk")
    one.click("订单", within="#nav-sidebar")
    one.click("需要处理", within="#content", exact=False)
    one.page.wait_for_url("**o=since**")
    assert one.page.locator("td.field-since").count() > 0
    assert (one.clicks, one.texts) == WAITS_LONGEST
