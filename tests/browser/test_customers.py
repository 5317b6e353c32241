"""The search box by keyboard and without a script, and a customer's page."""

from tests.browser.browsing import overflow
from tests.browser.pages import go

BOX, LINKS = "form.find input", ".find-results a"


def test_the_box_by_keyboard(visit):
    page = visit("clerk")
    go(page, "orders")
    number = page.locator("#result_list tbody th a").nth(3).inner_text()
    page.locator("h1").click()
    page.keyboard.press("Control+k")  # because "/" goes to the search field of the list
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type(number[-7:])
    page.wait_for_selector(LINKS)
    page.keyboard.press("Escape")
    assert page.locator(".find-results").is_hidden()
    page.keyboard.press("Control+k")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/order/*/change/**")
    assert page.locator("h1").inner_text() == number
    assert page.faults == []


def test_arrows_walk_through_the_groups_and_back(visit):
    page = visit("clerk")
    page.goto("/admin/")
    page.keyboard.press("Control+k")
    page.keyboard.type("云帆")
    page.wait_for_selector(LINKS)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.tagName") == "A"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.name") == "q"
    page.fill(BOX, "%")
    page.wait_for_selector(".find-results .nothing")
    assert overflow(page) == 0


def test_without_a_script_enter_leads_to_the_results(visit):
    page = visit("clerk")
    page.route("**/find*.js", lambda route: route.abort())
    page.goto("/admin/")
    page.fill(BOX, "example.com")
    page.press(BOX, "Enter")
    page.wait_for_url("**/admin/find/?q=example.com")
    assert page.locator(".results a").count() > 9


def test_what_a_customer_pays_now_is_one_click_from_the_order(visit):
    page = visit("clerk")
    page.goto("/admin/orders/order/?state__exact=active")
    page.locator("#result_list .field-customer a").last.click()
    page.wait_for_url("**/customer/**")
    assert page.locator(".billed .chip-green").count() == 1
    assert page.locator(".order-tab tbody tr").count() > 1
    for tab in page.locator(".order-tabs a").all_inner_texts():
        page.locator(".order-tabs a", has_text=tab).click()
        page.wait_for_load_state()
        assert page.locator(".order-tabs a[aria-current]").inner_text() == tab
    assert page.faults == []


def test_a_limited_person_finds_nothing_of_another_province(visit):
    page = visit("beijing")
    page.goto("/admin/find/?q=启明")
    assert page.locator(".results a").count() == 0
