"""A clerk uploads a file for a held order. An auditor prints an order, and what somebody did."""

from playwright.sync_api import expect

from tests.browser.browsing import overflow
from tests.browser.pages import open_first
from tests.files import books

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def test_a_clerk_uploads_a_file_for_a_held_order(visit):
    page = visit("clerk")
    page.goto("/admin/orders/order/?state__exact=held&held_because__exact=files")
    open_first(page)
    page.locator(".order-tabs a", has_text="附件").click()
    for name, data, words in (("图.png", b"\x89PNG", "不是 xlsx"), ("任意.xlsx", books.book(), "已放入附件目录")):
        file = page.locator(".order-tab input[type=file]").first
        file.set_input_files({"name": name, "mimeType": XLSX, "buffer": data})
        page.locator(".order-tab form button", has_text="上传").first.click()
        expect(page.locator(".messagelist")).to_contain_text(words)
    page.locator(".order-tabs a", has_text="事件").click()
    expect(page.locator(".timeline").first).to_contain_text("上传了文件")
    assert overflow(page) == 0


def test_an_auditor_prints_an_order(visit):
    """The printed page has no menu. It has exact times, who printed it and when."""
    page = visit("auditor")
    page.goto("/admin/orders/order/?state__exact=active")
    open_first(page)
    page.locator(".order-tools a", has_text="打印").click()
    page.wait_for_url("**/print/")
    page.emulate_media(media="print")
    for hidden in ("#header", "#nav-sidebar", ".breadcrumbs", ".order-tabs", ".order-menu", ".copy", ".no-print"):
        for one in page.locator(hidden).all():
            expect(one).to_be_hidden()
    expect(page.locator(".printed")).to_be_visible()
    expect(page.locator(".printed")).to_contain_text("打印人")
    shown = page.evaluate("""() => [...document.querySelectorAll("time")].filter((one) => one.offsetParent).map((one) =>
        [getComputedStyle(one).fontSize, getComputedStyle(one, "::after").content])""")
    assert shown
    assert all(size == "0px" and len(text) == len('"2026-11-28 13:00:00"') for size, text in shown)
    for heading in ("概览", "域名", "话单", "事件"):
        expect(page.locator("section.order-tab h2", has_text=heading).first).to_be_visible()


def test_an_auditor_finds_prints_and_takes_out_what_somebody_did(visit):
    visit("clerk")
    page = visit("auditor")
    page.goto("/admin/")
    page.locator("#nav-sidebar a", has_text="审计").click()
    page.wait_for_url("**/admin/trail/")
    page.get_by_label("人员").fill("clerk")
    page.get_by_label("类型").select_option("login")
    page.get_by_role("button", name="显示").click()
    rows = page.locator("table.rows tbody tr:has(td)")
    expect(rows.first).to_contain_text("已登录")
    assert "user=clerk" in page.url
    with page.expect_download() as download:
        page.get_by_role("button", name="全部导出").click()
    assert download.value.suggested_filename.endswith(".csv")
    assert "clerk" in download.value.path().read_text("utf-8-sig")
    page.emulate_media(media="print")
    for hidden in ("#header", "#nav-sidebar", ".breadcrumbs", "form.acts"):
        expect(page.locator(hidden).first).to_be_hidden()
    expect(page.locator(".trail .printed")).to_contain_text("clerk")
    assert "20" in page.locator("time").first.evaluate("one => getComputedStyle(one, '::after').content")
    assert page.faults == []
