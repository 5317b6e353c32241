"""Every page of the desk in wide and narrow windows, with names, numbers and histories as long as they can be."""

import pytest

from tests.browser.browsing import SIZES, overflow
from tests.browser.desk import Desk
from tests.browser.extremes import NUMBERS
from tests.browser.pages import submit

TABS = ["overview", "domains", "billing", "bpm", "approvals", "files", "mails", "usage", "events", "raw"]


@pytest.fixture(scope="module")
def desk():
    with Desk("tests.browser.extremes") as running:
        yield running


def lists(page):
    """Returns the addresses of all lists that the person may open."""
    page.goto("/admin/")
    return page.evaluate("[...document.querySelectorAll('.all-lists th a')].map(a => a.getAttribute('href'))")


def first_row(page):
    """Returns the address of the page of a list's first row, or None if the list is empty."""
    links = page.locator("#result_list tbody th a, #result_list tbody td a")
    here = page.evaluate("location.pathname")
    found = [link.get_attribute("href") for link in links.all()[:6]]
    return next((href for href in found if href and href.startswith(here)), None)


def wrong(page, address):
    """Returns the faults of a page: errors of scripts, or a page wider than the window."""
    answer, found = page.goto(address), []
    # first in the size in which it was loaded
    for size in sorted(SIZES, key=lambda name: SIZES[name] != page.viewport_size):
        page.set_viewport_size(SIZES[size])
        found += [f"{pixels} px too wide in a {size} window" for pixels in [overflow(page)] if pixels]
    found += page.faults
    page.faults.clear()
    return [f"{address}: {fault}" for fault in (found if answer.ok else [*found, answer.status])]


def test_no_list_and_no_page_leaves_the_window(visit):
    page, found = visit("admin"), []
    for address in lists(page):
        found += wrong(page, address)
        row = first_row(page)
        found += wrong(page, row) if row else []
    assert found == []


def test_no_part_of_a_strange_order_leaves_the_window(visit):
    page, found = visit("admin"), []
    for number in NUMBERS.values():
        page.goto(f"/admin/orders/order/?q={number}")
        address = first_row(page).partition("?")[0]
        for tab in TABS:
            found += wrong(page, f"{address}?tab={tab}")
        for key in ("note", "waive", "resend", "withdraw"):
            found += wrong(page, address.replace("/change/", f"/do/{key}/"))
    assert found == []


def test_html_in_a_name_stays_text(visit):
    page = visit("clerk")
    page.goto(f"/admin/orders/order/?q={NUMBERS['html']}")
    address = first_row(page).partition("?")[0]
    for tab in TABS:
        page.goto(f"{address}?tab={tab}")
        assert page.locator("#content script, #content b:text-is('粗体')").count() == 0
    assert "<b>粗体</b>" in page.locator("body").inner_text()


def test_an_engineer_resends_what_failed_in_a_list(visit):
    page = visit("engineer")
    page.goto("/admin/orders/order/?state__exact=failed&stuck=billing")
    page.locator(".tools a").click()
    page.wait_for_url("**/resend/?**channel=billing**")
    assert page.locator(".carried .chip").count() == 2
    submit(page, "大数据侧已恢复", "**/bulkrun/*/change/")
    assert page.locator("progress").count() == 1


def test_a_phone_turns_the_pages_of_a_long_list_without_scrolling(visit):
    page = visit("clerk", size="narrow")
    page.goto("/admin/orders/orderevent/?p=25")
    assert page.locator(".paginator a").count() >= 10  # the largest number of page links
    assert page.locator(".paginator").evaluate("pages => pages.scrollWidth - pages.clientWidth") <= 0
