"""Keyboard, screen reader, narrow windows and both colour schemes, on the main pages."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.browsing import over_the_heading, overflow
from tests.browser.pages import MAIN, go

SERIOUS = {"serious", "critical"}
every_page = pytest.mark.parametrize("name", MAIN)


def findings(page):
    """The serious findings of axe: the rule and the first places."""
    found = Axe().run(page).response["violations"]
    return [
        (rule["id"], [node["html"][:160] for node in rule["nodes"][:3]]) for rule in found if rule["impact"] in SERIOUS
    ]


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, name, scheme):
    page = visit("keeper", scheme=scheme)
    go(page, name)
    assert page.faults == []
    assert findings(page) == []


@every_page
@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_a_page_fits_the_window_and_nothing_lies_over_its_heading(visit, name, size):
    page = visit("keeper", size=size)
    go(page, name)
    assert (overflow(page), over_the_heading(page)) == (0, [])


def test_a_phone_shows_the_acts_of_a_filtered_list_below_its_heading(visit):
    page = visit("keeper", size="narrow")
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
    summary = page.locator(".filters details.filter summary").nth(1)
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


@pytest.mark.parametrize("name", ["incidents", "approvals", "billing", "bpm"])
def test_a_phone_shows_a_rows_state_without_scrolling(visit, name):
    page = visit("clerk", size="narrow")
    go(page, name)
    chip = page.locator("#result_list tbody .chip").first.bounding_box()
    assert chip["x"] + chip["width"] <= 390
