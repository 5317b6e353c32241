"""Keyboard, screen reader, narrow windows and both colour schemes, on the main pages."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.browsing import over_the_heading, overflow
from tests.browser.pages import MAIN, go
from tests.harness.waiting import until

SERIOUS = {"serious", "critical"}
every_page = pytest.mark.parametrize("name", MAIN)
each_look = pytest.mark.parametrize("size, scheme", [("wide", "light"), ("narrow", "light"), ("wide", "dark")])


def findings(page):
    """The serious findings of axe: the rule and the first places."""
    found = Axe().run(page).response["violations"]
    return [
        (rule["id"], [node["html"][:160] for node in rule["nodes"][:3]]) for rule in found if rule["impact"] in SERIOUS
    ]


def is_fine(page):
    """No script failed, no file was refused, nothing leaves the window, and axe finds nothing serious."""
    assert (list(page.faults), overflow(page), findings(page)) == ([], 0, [])


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, name, scheme):
    page = visit("clerk", scheme=scheme)
    go(page, name)
    assert page.faults == []
    assert findings(page) == []


@every_page
@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_a_page_fits_the_window_and_nothing_lies_over_its_heading(visit, name, size):
    page = visit("clerk", size=size)
    go(page, name)
    assert (overflow(page), over_the_heading(page)) == (0, [])


def test_a_phone_shows_the_acts_of_a_filtered_list_below_its_heading(visit):
    page = visit("clerk", size="narrow")
    page.goto(MAIN["orders"] + "?received=30d")
    assert (overflow(page), over_the_heading(page)) == (0, [])


def test_dark_mode_is_dark(visit):
    page = visit("clerk", scheme="dark")
    for name in ("dashboard", "orders"):
        go(page, name)
        red, green, blue = page.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
        )
        assert max(red, green, blue) < 60


def test_a_filter_opens_and_closes_by_the_keyboard(visit):
    page = visit("clerk")
    go(page, "orders")
    summary = page.locator(".filters details.filter summary").filter(has_text="状态").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details.filter[open]").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("details.filter[open]").count() == 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**state__exact=**")
    assert page.locator("details.filter-on").count() == 1


def test_without_script_the_filters_work(browser, desk, visit):
    signed_in = visit("clerk")
    context = browser.new_context(
        base_url=desk.url, java_script_enabled=False, storage_state=signed_in.context.storage_state()
    )
    page = context.new_page()
    page.goto(MAIN["orders"])
    page.locator(".filters details.filter summary").first.click()
    page.locator(".filters details.filter[open] li a").nth(1).click()
    page.wait_for_url("**needs=somebody")
    assert page.locator("#result_list tbody tr").count() > 0
    context.close()


def test_a_phone_shows_which_part_of_an_order_is_open(visit):
    page = visit("clerk", size="narrow")
    go(page, "order")
    page.locator(".order-tabs a").last.click()
    page.wait_for_url("**tab=raw**")
    place = page.locator(".order-tabs a[aria-current]").bounding_box()
    assert place["x"] >= 0
    assert place["x"] + place["width"] <= 390


def test_a_phone_shows_customers_and_several_orders_on_the_first_screen(visit):
    page = visit("clerk", size="narrow")
    for query in ("", "?state__exact=failed&q=100A"):
        page.goto(MAIN["orders"] + query)
        row = page.locator("#result_list tbody tr").nth(1).bounding_box()
        assert row["y"] + row["height"] <= 844
        for column in ("th.field-number", "td.field-customer .cut", "td.field-state_chip .chip"):
            cell = page.locator(f"#result_list tbody tr >> nth=0 >> {column}").bounding_box()
            assert cell["x"] + cell["width"] <= 390, column
        assert page.locator(".filters .filter:visible").count() == ("state" in query)
        page.locator("#show-filters").focus()
        page.keyboard.press("Space")
        assert page.locator(".filters .filter:visible").count() > 5


def test_a_long_name_of_a_file_fits_a_phone(visit):
    page = visit("clerk", size="narrow")
    page.goto(f"{MAIN['orders']}?q=100A-FILES")
    page.locator("#result_list tbody th a").first.click()
    page.wait_for_load_state()
    page.locator(".points li").first.evaluate("item => { item.textContent = `${'x'.repeat(250)}.xlsx`; }")
    assert overflow(page) == 0


def test_axe_finds_nothing_on_the_form_of_a_user_and_on_the_log_in_page(visit, browser, desk):
    page = visit("admin")
    page.goto("/admin/project/user/")
    page.locator("#result_list tbody th a").first.click()
    page.wait_for_selector(".selector-filter [role=img]")
    assert findings(page) == []
    context = browser.new_context(base_url=desk.url)
    stranger = context.new_page()
    stranger.goto("/admin/login/")
    assert Axe().run(stranger).response["violations"] == []
    assert stranger.locator("h1").count() == 1
    context.close()


@pytest.mark.parametrize(
    "user, address, filled, wrong",
    [
        ("clerk", "/admin/orders/order/trials/enter/", {"EnterpriseID": "E1"}, "OrderNum"),
        ("admin", "/admin/project/user/add/", {"display_name": "王", "username": "a b"}, "username"),
    ],
)
def test_after_a_refused_form_the_first_error_has_the_focus(visit, user, address, filled, wrong):
    page = visit(user)
    page.goto(address)
    for name, text in filled.items():
        page.fill(f"#content [name={name}]", text)
    page.locator("#content form[method=post]").last.evaluate(
        "form => { form.noValidate = true; form.requestSubmit(); }"
    )
    page.wait_for_selector(".errorlist")
    until(lambda: page.evaluate("document.activeElement.name") == wrong, seconds=20)  # once its script has run


@pytest.mark.parametrize("name", ["incidents", "approvals", "billing", "bpm"])
def test_a_phone_shows_a_rows_state_without_scrolling(visit, name):
    page = visit("clerk", size="narrow")
    go(page, name)
    chip = page.locator("#result_list tbody .chip").first.bounding_box()
    assert chip["x"] + chip["width"] <= 390
