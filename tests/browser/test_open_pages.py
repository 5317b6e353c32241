"""Pages that stay open, under the strict policy: changes show by themselves, and what is typed, ticked or open
stays.
"""

import datetime
import re

import pytest
from playwright.sync_api import expect

from tests.browser.pages import open_first
from tests.browser.test_truth import open_order

LIST = "/admin/orders/order/"
CEILING = 20_000  # in milliseconds; the next poll comes after at most 15 seconds
NOTE = """
from django.utils import timezone
from orders.models import Order
from orders.history.order_locks_and_events import add_event
order = Order.objects.get(number="{number}")
add_event(order, "note", by="staff:engineer", now=timezone.now(), reason="{text}")
"""
ARRIVES = """
from django.utils import timezone
from orders.history.order_locks_and_events import add_event
from tests import factories as make
order = make.OrderFactory(number="{number}", state="failed", received_at=timezone.now(), enterprise_name="新客户")
add_event(order, "received", by="bboss", now=timezone.now())
"""


@pytest.fixture
def happens(desk):
    """Returns a function. `happens(NOTE, number=..., text=...)` changes the desk without a page of this browser."""

    def run(code, **words):
        desk.run("manage.py", "shell", "--verbosity", "0", "-c", code.format(**words))

    return run


def ask_now(page):
    """Makes the page poll at once, as if the tab had become visible again. Otherwise the test would wait fifteen
    seconds.
    """
    with page.expect_response(lambda answer: "seen=" in answer.url):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def needing(page) -> int:
    found = re.match(r"（(\d+)）", page.title())
    return int(found[1]) if found else 0


def test_an_order_says_by_itself_what_changed_and_by_whom(visit, happens):
    page = visit("clerk")
    open_order(page, "100A-WAIVED")
    happens(NOTE, number="100A-WAIVED", text="客户来电")
    page.wait_for_selector("#changed >> text=打开后有变动", timeout=CEILING)
    assert "备注" in page.locator("#changed").inner_text()
    assert "客户来电" in page.locator(".notes").inner_text()
    page.locator("#changed a").click()
    page.wait_for_load_state()
    assert page.locator("#changed p").count() == 0
    assert page.faults == []


def test_a_list_keeps_what_is_typed_ticked_open_focused_and_scrolled(visit, happens):
    page = visit("clerk")
    page.goto(LIST)
    before = needing(page)
    assert before > 0
    rows = page.locator("#result_list tbody tr")
    ticked = rows.nth(3).locator("input[name=pick]")
    value = ticked.get_attribute("value")
    ticked.check()
    page.locator("details.filter summary").first.click()
    page.fill("#searchbar", "半个词")
    page.evaluate("window.scrollTo(0, 200)")
    number = rows.first.locator("th").inner_text()
    happens(ARRIVES, number="100A-NEW-MOVING")
    ask_now(page)
    page.wait_for_selector("#result_list >> text=100A-NEW-MOVING")
    assert rows.nth(1).locator("th").inner_text() == number
    assert [box.get_attribute("value") for box in page.locator("input[name=pick]:checked").all()] == [value]
    assert rows.nth(4).locator("input[name=pick]").is_checked()
    assert page.input_value("#searchbar") == "半个词"
    assert page.evaluate("document.activeElement.id") == "searchbar"
    assert page.locator("details.filter").first.get_attribute("open") is not None
    assert page.evaluate("window.scrollY") == 200
    is_one_more = "one => Number(/^（([0-9]+)）/.exec(document.title)[1]) === one"
    page.wait_for_function(is_one_more, arg=before + 1)  # the count may be up to three seconds old
    assert page.locator("#result_list thead .column-tick input").count() == 1
    copies = page.locator("#result_list th.field-number button.copy").count()
    assert copies in {0, rows.count()}  # browsers offer the clipboard only under https
    assert page.faults == []


def test_a_form_that_is_being_filled_in_is_left_alone(visit, happens):
    page = visit("clerk")
    page.goto("/admin/orders/incident/?open=yes&partner=bpm")
    open_first(page)
    page.fill("#id_note", "半句话")
    happens(NOTE, number="100A-WAIVED", text="别的事")
    ask_now(page)
    assert page.input_value("#id_note") == "半句话"
    assert page.evaluate("document.activeElement.id") == "id_note"
    assert page.faults == []


@pytest.fixture
def pressing(visit, happens):
    """Returns a function. `pressing(number)` opens a list, presses the pointer on its first row, and adds another
    order meanwhile. The page's clock stands still.
    """

    def press(number):
        page = visit("clerk", fresh=True)
        page.clock.install()
        page.goto(LIST)
        page.clock.pause_at(datetime.datetime.now() + datetime.timedelta(minutes=1))
        first = page.locator("#result_list tbody tr").first.locator("th a")
        happens(ARRIVES, number=number)
        first.hover()
        page.mouse.down()
        ask_now(page)
        return page, first.inner_text()

    return press


def test_a_press_of_the_pointer_meets_what_was_pressed(pressing):
    """New content would move the row away between press and release, so the page waits with it until the release."""
    page, pressed = pressing("100A-NEW-PRESSED")
    page.clock.run_for(1000)
    page.wait_for_timeout(500)
    assert page.locator("#result_list >> text=100A-NEW-PRESSED").count() == 0
    page.mouse.up()
    expect(page.locator(".panel h2")).to_have_text(pressed)
    assert page.faults == []


def test_a_press_that_does_not_end_is_not_waited_for(pressing):
    page, _pressed = pressing("100A-NEW-HELD")
    page.clock.run_for(2500)
    page.wait_for_selector("#result_list >> text=100A-NEW-HELD")


def test_the_dashboard_moves(visit, happens):
    page = visit("clerk")
    page.goto("/admin/")
    assert re.fullmatch(r"（\d+）今天 \| .*", page.title())
    before = needing(page)  # the count may be some seconds old and lack orders of the tests before
    happens(ARRIVES, number="100A-NEW-BOARD")
    ask_now(page)
    page.wait_for_function("before => Number(/^（([0-9]+)）/.exec(document.title)[1]) > before", arg=before)
    assert page.locator(".problems >> text=笔订单需要人工处理").count() == 1
    assert page.faults == []


def test_a_desk_that_is_away_is_said_calmly_and_found_again(visit):
    page = visit("clerk", fresh=True)
    page.goto(LIST)
    note = page.locator("#moving")
    page.context.set_offline(True)
    for _ in range(2):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_timeout(200)
    note.wait_for(state="visible", timeout=CEILING)
    assert "已断开，正在重试" in note.inner_text()
    page.context.set_offline(False)
    ask_now(page)
    note.wait_for(state="hidden", timeout=CEILING)


def test_an_open_page_whose_session_ended_leads_to_the_door_and_recovers(visit):
    page = visit("clerk", fresh=True)
    page.goto(LIST)
    kept = page.context.cookies()
    page.context.clear_cookies()
    ask_now(page)
    note = page.locator("#moving")
    note.wait_for(state="visible")
    assert "请重新登录" in note.inner_text()
    assert "next=/admin/orders/order/" in note.locator("a").get_attribute("href")
    page.context.add_cookies(kept)
    ask_now(page)
    note.wait_for(state="hidden")
