"""Staff on the dashboard and in the list: they find orders, filter, and follow a number. They can't reach what they
may not see.
"""

import re

from tests.browser.browsing import turn
from tests.browser.pages import go

OVERLAPS = """() => {
    const texts = [...document.querySelectorAll(".chart text")];
    texts.filter((one) => !one.matches(".day-label")).forEach((one) => { one.textContent = "9999"; });
    const boxes = texts.map((one) => one.getBoundingClientRect()).filter((box) => box.width);
    const hits = (a, b) => a.left < b.right && a.right > b.left && Math.abs(a.y - b.y) < a.height / 2;
    return boxes.flatMap((a, place) => boxes.slice(place + 1).filter((b) => hits(a, b)).map((b) => [a, b]));
}"""
"""The labels of the chart of which another one lies in the way, with four digits in each place."""


def rows(page):
    return page.locator("#result_list tbody tr")


BEATS = """
from django.utils import timezone
from integrations.models import Heartbeat
Heartbeat.objects.update(seen_at=timezone.now())
"""  # as no worker runs here, the dashboard would show a notice about that after a while


def test_the_dashboard_fits_on_an_ordinary_day_and_the_charts_labels_do_not_overlap(visit, desk):
    desk.run("manage.py", "shell", "--verbosity", "0", "-c", BEATS)
    page = visit("clerk")
    for size in ("wide", "narrow"):
        turn(page, size, "light")
        page.goto("/admin/")
        assert size == "narrow" or page.evaluate("document.documentElement.scrollHeight") <= 1100
        assert page.evaluate(OVERLAPS) == []


def test_a_clerk_finds_a_stuck_order_from_the_dashboard(visit):
    page = visit("clerk")
    page.goto("/admin/")
    link = page.locator(".answer a")
    number = int(re.search(r"\d+", link.inner_text())[0])
    link.click()
    page.wait_for_url("**/orders/order/?owner=nobody")
    assert rows(page).count() == number
    assert rows(page).first.locator(".field-state_chip .cut").inner_text() != ""


def test_search_by_the_beginning_of_a_number(visit):
    page = visit("clerk")
    go(page, "orders")
    number = rows(page).nth(5).locator("th a").inner_text()
    page.fill("#searchbar", number[:-1])
    page.press("#searchbar", "Enter")
    page.wait_for_url("**q=**")
    assert number in page.locator("#result_list").inner_text()


def test_search_by_a_domain(visit):
    page = visit("clerk")
    page.goto("/admin/orders/order/?q=cdn0.site7.example")
    assert rows(page).count() == 1


def test_enter_opens_what_one_order_has_and_shows_what_several_have(visit):
    page = visit("clerk")

    def look_for(term):
        page.keyboard.press("/")
        page.keyboard.type(term)
        page.wait_for_selector(".find-results a .chip")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        return page.url

    page.goto("/admin/")
    opened = look_for("https://CDN0.site7.example.com/a.jpg")
    assert re.search(r"/order/\d+/change/$", opened)
    assert look_for("site7.example。com") == opened  # the same order, which has several of these domains
    assert look_for("example.com").endswith("/find/?q=example.com")
    lines = page.locator(".results li")
    assert lines.count() > 1
    assert lines.locator(".chip").count() == lines.count()


def test_a_number_is_copied(visit):
    page = visit("clerk", fresh=True)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    go(page, "orders")
    page.reload()
    number = rows(page).first.locator("th a").inner_text()
    rows(page).first.hover()
    rows(page).first.locator("button.copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == number


def test_a_limited_person_cannot_reach_another_province_by_address(visit):
    free, limited = visit("clerk"), visit("beijing")
    free.goto("/admin/orders/order/?attribution__letters__exact=SH")
    address = rows(free).first.locator("th a").get_attribute("href")
    number = rows(free).first.locator("th a").inner_text()
    limited.goto(address)
    assert number not in limited.content()
    limited.goto(f"/admin/orders/order/?q={number}")
    assert rows(limited).count() == 0
    limited.goto("/admin/orders/order/")
    places = set(limited.locator("td.field-attribution_name").all_inner_texts())
    assert places == {"北京"}


def test_every_bar_of_the_chart_leads_somewhere(visit):
    page = visit("clerk")
    page.goto("/admin/")
    addresses = page.eval_on_selector_all("svg.chart a", "links => links.map((link) => link.href.baseVal)")
    assert addresses
    assert all(re.search(r"/order/\?(received|stopped)=\d{4}-\d\d-\d\d$", one) for one in addresses)


def test_a_refused_message_tells_why(visit):
    page = visit("engineer")
    go(page, "inbound")
    text = page.locator("#content").inner_text()
    assert "20208" in text
    assert "app secret" in text


def test_a_conflict_marks_what_differs(visit):
    page = visit("engineer")
    go(page, "conflict")
    assert page.locator("tr.differs th").all_inner_texts()
    assert page.locator("table.compare thead th").count() == 3
