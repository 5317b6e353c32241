"""A clerk enters trials: a workbook with a wrong cell, the right one, and a single one by the form."""

import io
import pathlib

import openpyxl
import pytest

from tests.browser.browsing import overflow
from tests.browser.test_access import findings
from tests.entering.workbooks import row, workbook

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def upload(page, data):
    page.goto("/admin/orders/order/trials/import/")
    page.set_input_files("input[type=file]", {"name": "试用单.xlsx", "mimeType": XLSX, "buffer": data})
    page.locator("form button[type=submit].button").click()
    page.wait_for_url("**/trials/import/*/")


def downloaded(page, link):
    """The first sheet of the workbook that a link leads to."""
    with page.expect_download() as file:
        page.locator("a", has_text=link).click()
    return openpyxl.load_workbook(io.BytesIO(pathlib.Path(file.value.path()).read_bytes())).worksheets[0]


def test_a_clerk_imports_trials(visit):
    page = visit("clerk")
    page.goto("/admin/orders/order/")
    page.locator(".tools a", has_text="批量导入试用单").click()
    assert downloaded(page, "下载模板")["A1"].value == "订单号"
    upload(page, workbook(row("100A26W1"), row("100A26W2", EnterpriseName=None)))
    assert page.locator(".chip-red").count() == 1
    assert "C3 企业名称：未填写" in page.locator("table.rows tbody tr").first.inner_text()
    assert downloaded(page, "下载标注副本")["C3"].comment.text == "C3 企业名称：未填写"
    upload(page, workbook(row("100A26W1"), row("100A26W2")))
    assert page.locator(".chip-green").count() == 2
    page.locator("form button[type=submit].button", has_text="录入 2 条").click()
    page.wait_for_selector(".messagelist")
    assert "已录入 2 条试用单" in page.locator(".messagelist").inner_text()
    page.locator("table.rows a", has_text="100A26W1").click()
    page.wait_for_load_state()
    assert "手工录入" in page.locator(".ladder").inner_text()
    upload(page, workbook(row("100A26W1"), row("100A26W2")))
    assert page.locator(".chip-grey", has_text="已存在").count() == 2


def test_a_clerk_enters_one_trial(visit):
    page = visit("clerk")
    page.goto("/admin/orders/order/")
    page.locator(".tools a", has_text="录入试用单").first.click()
    page.fill("[name=OrderNum]", "100A26E1")
    page.locator("form button[type=submit].button").click()
    page.wait_for_selector(".errorlist")
    assert page.input_value("[name=OrderNum]") == "100A26E1"
    texts = {
        "EnterpriseID": "100A23100079275183", "EnterpriseName": "北京示例科技", "ProdType": "1", "BillingMethod": "1",
        "DataFlow": "1", "BizStart": "2026-09-30", "ProvContent": "e1.example.com",
    }  # fmt: skip
    for name, text in texts.items():
        page.fill(f"[name={name}]", text)
    page.select_option("[name=BusinessType]", "1")
    page.locator("form button[type=submit].button").click()
    page.wait_for_url("**/change/**")
    assert page.locator("h1").inner_text() == "100A26E1"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_the_pages_are_right_for_everybody(visit, size, scheme):
    page = visit("clerk", size=size, scheme=scheme)
    upload(
        page, workbook(row("100A26X1", EnterpriseName="长" * 255), row("X" * 64, BizStart="x", ProvContent="x" * 253))
    )
    addresses = [page.url, "/admin/orders/order/trials/import/", "/admin/orders/order/trials/enter/"]
    for address in addresses:
        page.goto(address)
        assert (findings(page), overflow(page), page.faults) == ([], 0, [])
