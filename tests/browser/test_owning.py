"""Ownership by clicks: taking an order over, handing it over, a page that is out of date, and a leave."""

import datetime

from tests.browser.browsing import overflow
from tests.browser.pages import open_first, submit
from tests.browser.test_access import LOOKS, is_fine


def failed_order(page) -> str:
    """Returns the address of a failed order."""
    page.goto("/admin/orders/order/?state__exact=failed")
    open_first(page)
    return page.url.split("?")[0]


def give_back(page, address):
    page.goto(address)
    if page.locator(".owning button[value=back]").count():
        page.click(".owning button[value=back]")
        page.wait_for_load_state()


def test_it_is_taken_handed_over_in_three_clicks_and_a_stale_page_asks_again(visit):
    clerk, engineer = visit("clerk"), visit("engineer")
    address = failed_order(clerk)
    give_back(clerk, address)
    engineer.goto(address)
    clerk.click(".owning button[value=take]")
    clerk.wait_for_selector(".messagelist .success")
    engineer.click(".owning button[value=take]")
    engineer.wait_for_selector("[role=alert] .errorlist")
    assert clerk.locator(".owning strong").inner_text() in engineer.locator(".errorlist").inner_text()
    clerk.goto("/admin/")
    number = clerk.locator("[aria-labelledby=work-1-h] tbody a").first
    assert address.endswith(number.get_attribute("href"))
    clerk.goto(address)
    clerk.click(".owning a")  # click 1
    clerk.wait_for_selector("select[name=to]")
    clerk.select_option("select[name=to]", index=1)  # click 2
    clerk.click("form .acts button")  # click 3
    clerk.wait_for_selector(".messagelist .success")
    assert clerk.locator(".owning button[value=take]").count() == 1
    give_back(clerk, address)
    assert clerk.faults == []
    # only the refused page's status 409, which the browser's console shows
    assert all("409" in fault for fault in engineer.faults)


def test_a_leave_is_entered_in_five_clicks_and_fits_the_phone(visit):
    page = visit("clerk", size="narrow", scheme="dark")
    page.goto("/admin/")
    until = f"{datetime.date.today() + datetime.timedelta(days=5):%Y-%m-%d}"
    page.click(".phone-menu summary")  # click 1
    page.click(".phone-menu a[href='/admin/leave/']")  # click 2
    page.wait_for_selector("input[name=last]")
    assert overflow(page) == 0
    page.fill("input[name=last]", until)  # entry 3
    page.select_option("select[name=deputy]", index=2)  # entry 4
    page.click("button[value=enter]")  # click 5
    page.wait_for_selector(".messagelist .success")
    assert "代理人" in page.locator(".decide strong").inner_text()
    page.click("button[value=end]")
    page.wait_for_selector(".messagelist .success")
    assert page.locator("button[value=end]").count() == 0
    assert page.faults == []


def act_on(page, address, key):
    page.goto(address)
    page.goto(page.locator(f"a[href*='/{key}/']").first.get_attribute("href"))


def test_who_is_named_reads_it_in_the_inbox_and_is_reminded(visit):
    clerk, engineer = visit("clerk"), visit("engineer")
    address = failed_order(engineer)
    act_on(engineer, address, "note")
    submit(engineer, "@clerk 请催客户补文件")
    act_on(clerk, address, "remind")
    clerk.fill("input[name=day]", f"{datetime.date.today() + datetime.timedelta(days=5):%Y-%m-%d}")
    submit(clerk, "问客户文件补了没有")
    clerk.goto("/admin/inbox/")
    assert int(clerk.inner_text("#inbox .unread-count")) > 0
    is_fine(clerk, [*LOOKS, ("narrow", "dark")])
    clerk.click("button[name=back]")
    clerk.wait_for_selector(".messagelist .success")
    clerk.click(".inbox-rows .unread a")
    clerk.wait_for_url("**/change/**")
    assert clerk.faults + engineer.faults == []
