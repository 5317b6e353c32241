"""A clerk enters trials: by a workbook with a wrong cell, by the corrected workbook, and a single one by the form."""

import io
import pathlib

import openpyxl

from tests.browser.browsing import overflow
from tests.browser.pages import PASSWORD
from tests.browser.test_access import LOOKS, findings, is_fine
from tests.entering.workbooks import row, workbook

NEW = {"EnterpriseID": "100A26NEW"}  # a customer of whom the desk knows no other name
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def upload(page, data):
    page.goto("/admin/orders/order/trials/import/")
    page.set_input_files("input[type=file]", {"name": "试用单.xlsx", "mimeType": XLSX, "buffer": data})
    page.locator("form button[type=submit].button").click()
    page.wait_for_url("**/trials/import/*/")


def downloaded(page, link):
    """Returns the first sheet of the workbook that a link downloads."""
    with page.expect_download() as file:
        page.locator("a", has_text=link).click()
    return openpyxl.load_workbook(io.BytesIO(pathlib.Path(file.value.path()).read_bytes())).worksheets[0]


def test_a_clerk_imports_trials(visit):
    page = visit("clerk")
    page.goto("/admin/orders/order/")
    page.locator(".tools a", has_text="批量导入试用单").click()
    assert downloaded(page, "下载模板")["A1"].value == "订单号"
    upload(page, workbook(row("100A26W1", **NEW), row("100A26W2", EnterpriseName=None)))
    assert page.locator(".chip-red").count() == 1
    assert "C3 企业名称：未填写" in page.locator("table.rows tbody").first.inner_text()
    assert downloaded(page, "下载标注副本")["C3"].comment.text == "C3 企业名称：未填写"
    upload(page, workbook(row("100A26W1", **NEW), row("100A26W2", **NEW)))
    assert page.locator(".chip-green").count() == 2
    page.locator("form button[type=submit].button", has_text="录入 2 条").click()
    page.wait_for_selector(".messagelist")
    assert "已录入 2 条试用单" in page.locator(".messagelist").inner_text()
    page.locator("table.rows a", has_text="100A26W1").click()
    page.wait_for_load_state()
    assert "手工录入" in page.locator(".ladder").inner_text()
    upload(page, workbook(row("100A26W1", **NEW), row("100A26W2", **NEW)))
    assert page.locator(".chip-grey", has_text="已存在").count() == 2


def test_a_clerk_puts_the_marked_copy_right_and_uploads_it(visit):
    page = visit("clerk")
    upload(page, workbook(row("100A26P1", EnterpriseName=None), row("100A26P2", DataFlow="很多")))
    page.fill("[name=cell-C2]", "北京示例科技")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.locator(".chip-red").count() == 1
    sheet = downloaded(page, "下载标注副本")
    assert (sheet["C2"].value, sheet["G3"].comment.text[:2]) == ("北京示例科技", "G3")
    sheet["G3"] = "500"
    right = io.BytesIO()
    sheet.parent.save(right)
    upload(page, right.getvalue())
    assert page.locator(".chip-red").count() == 0
    assert page.locator("form button[type=submit].button", has_text="录入 2 条").count() == 1


def test_a_clerk_enters_one_trial(visit):
    """The clerk looks up the customer, loses the session, and enters a domain that is already on trial."""
    page = visit("clerk", fresh=True)
    upload(page, workbook(row("100A26E0", ProvContent="e1.example.com", **NEW)))
    page.locator(".acts button.button").click()
    page.wait_for_selector(".messagelist")
    page.goto("/admin/orders/order/")
    page.locator(".tools a", has_text="录入试用单").first.click()
    page.fill("[name=OrderNum]", "100A26E1")
    page.fill("[name=EnterpriseID]", "100A23100079275183")
    page.locator("#customer button", has_text="查找客户并填入").click()
    page.wait_for_selector("#customer [role=status]")
    name = page.input_value("[name=EnterpriseName]")
    assert (bool(name), page.input_value("[name=OrderNum]")) == (True, "100A26E1")
    page.fill("[name=ProvContent]", "e1.example.com")
    page.fill("[name=DataFlow]", "很多")
    page.keyboard.press("Enter")  # submits the whole form, and does not start the look-up of the customer
    page.wait_for_selector(".errorlist")
    page.context.clear_cookies()
    page.goto("/admin/orders/order/trials/enter/")
    page.fill("[name=username]", "clerk")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("[name=OrderNum]")
    told = [page.input_value(f"[name={field}]") for field in ("OrderNum", "EnterpriseName", "ProvContent", "DataFlow")]
    assert told == ["100A26E1", name, "e1.example.com", "很多"]
    page.fill("[name=DataFlow]", "500")
    page.fill("[name=BizStart]", "2026-09-30")
    page.select_option("[name=BusinessType]", "1")
    page.locator(".acts button.button").click()
    page.wait_for_selector(".news")
    assert "100A26E0" in page.locator(".news").inner_text()
    assert (findings(page), overflow(page)) == ([], 0)
    page.check("[name=confirmed]")
    page.locator(".acts button.button").click()
    page.wait_for_url("**/change/**")
    assert page.locator("h1").inner_text() == "100A26E1"
    page.goto("/admin/orders/order/trials/enter/")
    assert page.input_value("[name=OrderNum]") == ""


def test_the_pages_are_right_for_everybody(visit):
    page = visit("clerk")
    upload(
        page, workbook(row("100A26X1", EnterpriseName="长" * 255), row("X" * 64, BizStart="x", ProvContent="x" * 253))
    )
    addresses = [page.url, "/admin/orders/order/trials/import/", "/admin/orders/order/trials/enter/"]
    for address in addresses:
        page.goto(address)
        is_fine(page, [*LOOKS, ("narrow", "dark")])
