"""An auditor looks for what somebody did, goes on to older acts, prints them and takes them out."""

from playwright.sync_api import expect

TRAIL = "/admin/trail/"


def test_an_auditor_finds_prints_and_takes_out_what_somebody_did(visit):
    visit("clerk")
    page = visit("auditor")
    page.goto("/admin/")
    page.locator("#nav-sidebar a", has_text="审计").click()
    page.wait_for_url(f"**{TRAIL}")
    page.get_by_label("人员").fill("clerk")
    page.get_by_label("类型").select_option("login")
    page.get_by_role("button", name="显示").click()
    rows = page.locator("table.rows tbody tr")
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
