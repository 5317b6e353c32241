"""Late by province takes one click, and limits are changed on their page."""

from tests.browser.browsing import overflow


def test_what_is_late_in_a_province_is_one_click_away(visit):
    page = visit("clerk")
    page.goto("/admin/")
    card = page.locator("section[aria-labelledby=late-h]")
    number = int(card.locator("tbody td a").first.inner_text())
    card.locator("tbody th a").first.click()
    page.wait_for_url("**overtime=yes*")
    marks = page.locator("#result_list .overtime")
    assert marks.count() == min(number, page.locator("#result_list tbody tr").count())
    assert "超时" in marks.first.inner_text()
    assert overflow(page) == 0
    assert page.faults == []


def test_a_limit_of_zero_is_refused_and_another_is_kept(visit):
    page = visit("keeper")
    page.goto("/admin/orders/timelimit/")
    page.locator("#result_list tbody th a").first.click()
    page.wait_for_load_state()
    before = page.input_value("input[name=amount]")
    page.fill("input[name=amount]", "0")
    page.locator("form").evaluate_all("forms => forms.forEach(form => form.noValidate = true)")
    page.locator("input[name=_save]").click()
    assert "时限至少为 1" in page.locator(".errorlist").inner_text()
    page.fill("input[name=amount]", before)
    page.locator("input[name=_save]").click()
    page.wait_for_url("**/timelimit/")
    assert overflow(page) == 0
    assert page.faults == []
