"""A clerk exports a list: from the filter to the file, and to the page where the file can be downloaded again."""

import openpyxl

from tests.browser.pages import MAIN
from tests.browser.test_access import is_fine

FORM = "/admin/orders/export/new/orders/?state__exact=failed"


def fetched(page, click, folder):
    """Returns the rows of the file that a click downloads."""
    with page.expect_download() as download:
        click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))


def test_a_clerk_exports_what_the_list_shows_and_fetches_it_again(visit, tmp_path):
    page = visit("clerk")
    page.goto(MAIN["orders"] + "?state__exact=failed")
    shown = [cell.split()[0] for cell in page.locator("#result_list th.field-number").all_inner_texts()]
    page.get_by_role("link", name="导出", exact=True).click()
    page.wait_for_url("**/export/new/orders/**")
    rows = fetched(page, page.get_by_role("button", name="下载").click, tmp_path)
    assert [row[0] for row in rows] == ["订单号", *shown]
    page.get_by_role("link", name="导出记录").last.click()
    page.locator("#result_list th a").first.click()
    page.wait_for_url("**/change/")
    assert fetched(page, page.get_by_role("link", name="下载", exact=True).click, tmp_path) == rows


def test_people_s_data_need_a_reason(visit, tmp_path):
    page = visit("clerk")
    page.goto(FORM)
    page.check("#id_personal")
    page.get_by_role("button", name="下载").click()
    page.wait_for_selector(".errorlist")
    page.fill("#id_reason", "月度回访")
    header = fetched(page, page.get_by_role("button", name="下载").click, tmp_path)[0]
    assert "经办人电话" in header


def test_the_pages_can_be_read_by_everybody(visit, tmp_path):
    page = visit("clerk")
    page.goto(FORM)
    is_fine(page)
    fetched(page, page.get_by_role("button", name="下载").click, tmp_path)
    page.goto("/admin/orders/export/")
    is_fine(page)
    page.locator("#result_list th a").first.click()
    page.wait_for_url("**/change/")
    is_fine(page)
