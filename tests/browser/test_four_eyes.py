"""Four eyes: a clerk asks for a pass, a colleague confirms it within three clicks from the log-in."""

from tests.browser.browsing import overflow
from tests.browser.test_deciding import decide, open_order


def test_a_colleague_s_act_is_confirmed_in_three_clicks(visit):
    clerk = visit("clerk")
    number = open_order(clerk, "/admin/orders/order/?state__exact=awaiting_approval", "")
    address = clerk.url
    decide(clerk, "pass", "BPM 电话确认已通过")
    assert "尚未执行" in clerk.locator(".messagelist").inner_text()
    assert "待复核" in clerk.locator(".order-notice", has_text="提出").inner_text()
    judge = visit("judge")
    judge.locator("a", has_text="待您复核").first.click()
    judge.wait_for_load_state()
    judge.locator("#result_list tbody th a").first.click()
    judge.wait_for_load_state()
    assert number in judge.locator("#content").inner_text()
    assert overflow(judge) == 0
    judge.locator("button", has_text="确认执行").click()
    judge.wait_for_url("**/order/**")
    assert "已确认" in judge.locator(".messagelist").inner_text()
    clerk.goto(address)
    assert clerk.locator(".order-notice", has_text="提出").count() == 0
    assert [*clerk.faults, *judge.faults] == []
