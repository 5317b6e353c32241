"""A page says that the session ends soon. What was typed is for its account alone, for an hour, until the log-out."""

import pytest

from tests.browser.pages import PASSWORD, go

ENTER = "/admin/orders/order/trials/enter/"


def shown(page) -> str:
    note = page.locator("#session")
    return note.inner_text() if note.is_visible() else ""


@pytest.fixture
def page(visit):
    """A list of somebody who has just logged in. The browser's clock is in the test's hand, the desk's is not."""
    page = visit("clerk")
    page.clock.install()
    go(page, "orders")
    return page


def test_the_page_says_that_the_end_is_near_and_a_click_puts_it_off(page):
    page.clock.fast_forward("27:00")
    assert shown(page) == ""
    page.clock.fast_forward("01:30")
    assert "两分钟内自动退出" in shown(page)
    with page.expect_response("**/jsi18n/"):
        page.get_by_role("button", name="继续使用").click()
    page.locator("#session").wait_for(state="hidden")
    page.clock.fast_forward("27:00")
    assert shown(page) == ""
    assert page.faults == []


def test_some_hours_after_the_log_in_nothing_puts_it_off(page):
    for _ in range(27):
        page.evaluate("document.querySelector('#session button').click()")
        page.clock.fast_forward("26:00")
    page.evaluate("document.querySelector('#session button').click()")
    page.clock.fast_forward("17:00")
    assert "即将满规定时长" in shown(page)
    assert not page.get_by_role("button", name="继续使用").is_visible()


def log_in(page, user):
    page.goto(ENTER)
    page.fill("[name=username]", user)
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("[name=OrderNum]")


def typed(page) -> str:
    return page.input_value("[name=OrderNum]")


def test_what_was_typed_is_for_its_account_alone_for_an_hour(page):
    page.goto(ENTER)
    page.fill("[name=OrderNum]", "100A26S1")
    page.context.clear_cookies()
    log_in(page, "keeper")
    assert typed(page) == ""
    page.context.clear_cookies()
    log_in(page, "clerk")
    assert typed(page) == "100A26S1"
    page.goto("/admin/")
    page.clock.fast_forward("01:01:00")
    page.goto(ENTER)
    assert typed(page) == ""


def test_a_log_out_forgets_what_was_typed_in_all_tabs(page):
    page.goto(ENTER)
    page.fill("[name=OrderNum]", "100A26S2")
    other = page.context.new_page()
    other.goto("/admin/")
    other.locator("#logout-form button").click()
    other.wait_for_selector("#logged-out", state="attached")
    log_in(page, "clerk")
    assert typed(page) == ""
