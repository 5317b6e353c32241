"""The short menu, its current entry, the menu on a phone, and the keys J and K that go from order to order."""

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import overflow
from tests.browser.pages import open_first

CLERK = ["首页", "订单", "客户", "待办", "话单", "审批记录", "异常", "联系人"]


def test_a_clerk_s_menu_marks_where_one_is(visit):
    page = visit("clerk")
    page.goto("/admin/")
    menu = page.locator("#nav-sidebar th a")
    expect(menu).to_have_text(CLERK)
    expect(page.locator("#nav-sidebar a[aria-current=page]")).to_have_text("首页")
    menu.get_by_text("待办").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**needs=somebody**")
    expect(page.locator("#nav-sidebar a[aria-current=page]")).to_have_text("待办")
    assert not page.faults


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_s_menu_opens_at_the_top(visit, scheme):
    page = visit("clerk", size="narrow", scheme=scheme)
    page.goto("/admin/")
    expect(page.locator("#nav-sidebar")).to_be_hidden()
    page.locator(".phone-menu summary").click()
    expect(page.locator(".phone-menu th a")).to_have_text(CLERK)
    page.locator(".phone-menu").get_by_text("客户", exact=True).click()
    page.wait_for_url("**/customer/")
    assert not overflow(page)


def test_keys_lead_from_order_to_order_and_stay_in_the_list(visit):
    page = visit("clerk")
    page.goto("/admin/orders/order/?o=-received")
    numbers = page.locator("#result_list tbody th a").all_inner_texts()[:3]
    open_first(page)
    here = page.locator(".order-title h1")
    expect(here).to_have_text(numbers[0])
    for key, number in (("j", numbers[1]), ("j", numbers[2]), ("k", numbers[1])):
        page.wait_for_load_state()  # the keys work only after the page's script has run
        page.keyboard.press(key)
        expect(here).to_have_text(number, timeout=20_000)
    page.locator("input[name=q]").first.focus()
    page.keyboard.type("jk")
    expect(here).to_have_text(numbers[1])
    page.locator(".breadcrumbs").get_by_text("订单列表").click()
    page.wait_for_url("**?o=-received")
    assert not page.faults
