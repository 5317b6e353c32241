"""The main pages with the keyboard, with a screen reader, in narrow windows, and in both colour schemes."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from tests.browser.browsing import over_the_heading, overflow, stranger, turn
from tests.browser.pages import MAIN, go, open_first
from tests.harness.waiting import until

SERIOUS = {"serious", "critical"}
LOOKS = [("wide", "light"), ("narrow", "light"), ("wide", "dark")]
BOTH = [("wide", "light"), ("narrow", "dark")]


def violations(page):
    """Returns all violations that axe, a checker for accessibility, finds on the page."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return page.evaluate("axe.run({resultTypes: ['violations']}).then((found) => found.violations)")


def findings(page):
    """Returns the serious violations that axe finds: each rule with its first places on the page."""
    return [
        (rule["id"], [node["html"][:160] for node in rule["nodes"][:3]])
        for rule in violations(page)
        if rule["impact"] in SERIOUS
    ]


def is_fine(page, looks=LOOKS):
    """Asserts that no script failed and no file was refused. In each look (a window size and a colour scheme) the page
    must fit the window, and axe must find no serious violation.

    The page is not loaded again between the looks, because only its style sheets depend on the look. It stays in the
    last look.
    """
    faults, found = list(page.faults), {}
    for look in looks:
        turn(page, *look)
        found[look] = overflow(page), findings(page)
    assert (faults, found) == ([], dict.fromkeys(looks, (0, [])))
    page.faults.clear()  # errors of axe itself


@pytest.mark.parametrize("name", MAIN)
def test_a_main_page_is_fine_and_nothing_lies_over_its_heading(visit, name):
    page = visit("clerk")
    go(page, name)
    assert over_the_heading(page) == []
    is_fine(page)
    turn(page, "narrow", "light")
    assert over_the_heading(page) == []


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
    page.locator(".finder .filter > summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("details.filter[open]").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("details.filter[open]").count() == 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("已挂起")
    assert 0 < page.locator(".filter-kind:visible").count() < page.locator(".filter-kind").count()
    page.locator(".filter-kind[open] a", has_text="已挂起").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**state__exact=held**")
    assert page.locator("a.filter-set").count() == 1


def test_the_rows_of_a_list_are_near_and_go_by_the_keyboard(visit):
    page = visit("clerk")
    page.goto(MAIN["orders"] + "?needs=somebody&o=since")
    assert page.locator("#result_list tbody tr").first.bounding_box()["y"] < 260
    for column in ("number", "customer", "state_chip", "due", "owner_name"):
        cell = page.locator(f"#result_list tbody tr >> nth=0 >> .field-{column}").bounding_box()
        assert cell["x"] + cell["width"] <= 1280, column
    page.locator("#content-start").focus()
    for _ in range(10):
        page.keyboard.press("Tab")
    assert page.evaluate("Boolean(document.activeElement.closest('#result_list tbody'))")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "searchbar"
    page.locator("h1").click()
    for key in "jjx":
        page.keyboard.press(key)
    assert page.locator("#result_list tbody tr").nth(1).locator("[name=pick]").is_checked()
    page.keyboard.press("k")
    page.keyboard.press("Space")
    page.wait_for_url("**preview=*")
    assert page.locator("#preview").is_visible()


def test_without_script_the_filters_work(browser, desk, visit):
    state = visit("clerk").context.storage_state()
    page = stranger(browser, desk.url, java_script_enabled=False, storage_state=state)
    page.goto(MAIN["orders"])
    assert page.locator(".bulk").is_visible()
    page.locator(".finder .filter > summary").click()
    page.locator(".filter-kind summary").first.click()
    page.locator(".filter-kind[open] li a").nth(1).click()
    page.wait_for_url("**needs=somebody")
    assert page.locator("#result_list tbody tr").count() > 0
    page.context.close()


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
        assert page.locator("#result_list tbody tr").first.bounding_box()["y"] < 300
        for column in ("th.field-number", "td.field-customer .cut", "td.field-state_chip .chip"):
            cell = page.locator(f"#result_list tbody tr >> nth=0 >> {column}").bounding_box()
            assert cell["x"] + cell["width"] <= 390, column
        assert page.locator(".filter-set").count() == ("state" in query)
        page.locator(".finder .filter > summary").click()
        assert page.locator(".filter-kind:visible").count() > 5


def test_a_long_name_of_a_file_fits_a_phone(visit):
    page = visit("clerk", size="narrow")
    page.goto(f"{MAIN['orders']}?q=100A-FILES")
    open_first(page)
    page.locator(".points li").first.evaluate("item => { item.textContent = `${'x'.repeat(250)}.xlsx`; }")
    assert overflow(page) == 0


def test_axe_finds_nothing_on_the_form_of_a_user_and_on_the_log_in_page(visit, browser, desk):
    page = visit("admin")
    page.goto("/admin/project/user/")
    # not the person's own account, where the form has no such fields
    page.locator("#result_list tbody th a", has_not_text="admin").first.click()
    page.wait_for_selector(".selector-filter [role=img]")
    assert findings(page) == []
    page = stranger(browser, desk.url)
    page.goto("/admin/login/")
    assert violations(page) == []
    assert page.locator("h1").count() == 1
    page.context.close()


@pytest.mark.parametrize(
    "user, address, filled, wrong",
    [
        ("clerk", "/admin/orders/order/trials/enter/", {"EnterpriseID": "E1"}, "EnterpriseName"),
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
    until(lambda: page.evaluate("document.activeElement.name") == wrong, seconds=20)  # once the page's script has run


def test_a_phone_shows_a_rows_state_without_scrolling(visit):
    page, end = visit("clerk", size="narrow"), {}
    for name in ("incidents", "approvals", "billing", "bpm"):
        go(page, name)
        chip = page.locator("#result_list tbody .chip").first.bounding_box()
        end[name] = chip["x"] + chip["width"]
    assert {name: place for name, place in end.items() if place > 390} == {}
