"""A page warns before the session ends. Typed text is kept only for its account, for an hour, and until the log-out."""

import pytest

from tests.browser.browsing import overflow
from tests.browser.pages import PASSWORD, go, open_first
from tests.browser.test_access import findings
from tests.harness.waiting import until

ENTER = "/admin/orders/order/trials/enter/"


def shown(page) -> str:
    note = page.locator("#session")
    return note.inner_text() if note.is_visible() else ""


def stay(page) -> None:
    """Presses the button that prolongs the session, and waits until the page has the new end."""
    idle = "JSON.parse(localStorage.getItem('desk-session')).idle"
    before = page.evaluate(idle)
    page.evaluate("document.querySelector('#session button').click()")
    until(lambda: page.evaluate(idle) > before)


@pytest.fixture
def page(visit):
    """A list of somebody who has just logged in. The test moves the browser's clock, but not the desk's."""
    page = visit("clerk", fresh=True)
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
        stay(page)
        page.clock.fast_forward("26:00")
    stay(page)
    page.clock.fast_forward("17:00")
    assert "即将满规定时长" in shown(page)
    assert not page.get_by_role("button", name="继续使用").is_visible()


def log_in(page, user, address=ENTER, field="OrderNum"):
    """Opens an address, logs in there, and waits for a field of the page."""
    page.goto(address)
    page.fill("[name=username]", user)
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(f"[name={field}]")


def typed(page) -> str:
    return page.input_value("[name=OrderNum]")


def test_what_was_typed_is_for_its_account_alone_for_an_hour(page):
    page.goto(ENTER)
    page.fill("[name=OrderNum]", "100A26S1")
    page.context.clear_cookies()
    log_in(page, "beijing")
    assert typed(page) == ""
    page.context.clear_cookies()
    log_in(page, "clerk")
    assert typed(page) == "100A26S1"
    page.goto("/admin/")
    page.clock.fast_forward("01:01:00")
    page.goto(ENTER)
    assert typed(page) == ""


def test_a_reason_comes_back_after_the_log_in_until_something_is_done(visit, signed_in):
    page, _other = visit("engineer", fresh=True), visit("engineer", fresh=True)
    page.goto("/admin/")
    page.locator("a[href$='/bpm/pause/']").click()
    page.fill("[name=reason]", "对方升级")
    form = page.url
    page.context.clear_cookies()
    log_in(page, "engineer", form, "reason")
    assert page.input_value("[name=reason]") == "对方升级"
    page.goto("/admin/sessions/")
    page.get_by_role("button", name="结束其他全部会话").click()
    page.wait_for_selector(".messagelist .success")
    signed_in.clear()  # the pages of earlier tests have lost their sessions too
    page.goto(form)
    assert page.input_value("[name=reason]") == ""
    assert page.faults == []


def test_a_whole_form_comes_back_after_the_log_in_and_only_then(visit):
    page = visit("beijing", fresh=True)
    page.goto("/admin/leave/")
    own = page.input_value("[name=first]")
    page.fill("[name=first]", "2030-02-01")
    page.fill("[name=last]", "2030-02-08")
    page.select_option("[name=deputy]", index=1)
    deputy = page.input_value("[name=deputy]")
    page.goto("/admin/leave/")
    assert page.input_value("[name=first]") == own
    assert not page.locator("#came-back").is_visible()
    page.context.clear_cookies()
    log_in(page, "beijing", "/admin/leave/", "first")
    assert "提交前请核对" in page.locator("#came-back").inner_text()
    typed = [page.input_value(f"[name={name}]") for name in ("first", "last", "deputy")]
    assert typed == ["2030-02-01", "2030-02-08", deputy]
    assert page.evaluate("Object.values(sessionStorage).join()").count(PASSWORD) == 0
    assert page.faults == []


def test_a_click_without_a_connection_says_so_and_keeps_what_was_typed(visit):
    page = visit("clerk", fresh=True)
    page.goto("/admin/orders/incident/?open=yes&partner=bpm")
    open_first(page)
    page.fill("#id_note", "半句话")
    note, address = page.locator("#offline"), page.url
    home = page.locator(".breadcrumbs a").first
    page.context.set_offline(True)
    for click in (page.locator("form:has(#id_note) [type=submit]").first, home):
        page.evaluate("document.getElementById('offline').hidden = true")
        click.click()
        note.wait_for(state="visible")
        assert "没有网络" in note.inner_text()
        assert (page.url, page.input_value("#id_note")) == (address, "半句话")
    page.context.set_offline(False)
    note.wait_for(state="hidden")
    home.click()
    page.wait_for_url("**/admin/")


def test_a_log_out_forgets_what_was_typed_in_all_tabs(page):
    page.goto(ENTER)
    page.fill("[name=OrderNum]", "100A26S2")
    other = page.context.new_page()
    other.goto("/admin/")
    other.locator("#logout-form button").click()
    other.wait_for_selector("#logged-out", state="attached")
    log_in(page, "clerk")
    assert typed(page) == ""


def test_one_sees_the_own_sessions_and_ends_the_others(visit, signed_in):
    page, other = visit("auditor", fresh=True), visit("auditor", fresh=True, size="narrow", scheme="dark")
    page.goto("/admin/")
    page.get_by_role("link", name="我的会话").click()
    rows = page.locator("#content-main tbody tr")
    number = rows.count()  # earlier tests have left some sessions
    assert number >= 2
    assert rows.filter(has_text="本次会话").count() == 1
    assert rows.filter(has_text="谷歌浏览器").count() == number
    other.goto("/admin/sessions/")
    for one in (page, other):
        assert findings(one) == []
        assert overflow(one) == 0
    page.get_by_role("button", name="结束其他全部会话").click()
    page.get_by_text(f"已结束 {number - 1} 个会话").wait_for()
    assert rows.count() == 1
    signed_in.clear()
    other.goto("/admin/")
    other.wait_for_selector("#id_username")
    assert page.faults == []
