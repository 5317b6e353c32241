"""Staff on an order's page: they see at which step it is stuck, resend it, read the approvals, waive a finding, and
confirm a request.
"""

from tests.browser.browsing import overflow
from tests.browser.pages import open_first, open_row, submit


def open_order(page, address, why):
    """Opens the first order of a list whose row contains the text `why`, and returns its number."""
    page.goto(address)
    row = page.locator("#result_list tbody tr", has_text=why).first
    number = row.locator("th a").inner_text()
    open_row(row)
    assert page.locator("h1").inner_text() == number
    return number


def decide(page, key, reason):
    """Makes a decision with a reason, and returns to the order's page."""
    page.goto(f"{page.url.split('?')[0].replace('/change/', '')}/do/{key}/")
    submit(page, reason)


def test_a_clerk_finds_a_stuck_order_and_resends_it(visit):
    page = visit("clerk")
    number = open_order(page, "/admin/orders/order/?needs=somebody&stuck=bpm", "BPM")
    page.locator('a[href*="/do/resend/"]').first.click()
    submit(page, "已与 BPM 确认")
    page.goto(f"/admin/orders/bpmdispatch/?backlog=yes&q={number}")
    assert page.locator("#result_list tbody tr").count() == 1
    assert page.locator(".chip-red").count() == 0


def test_a_clerk_moves_a_start_day(visit):
    """From the order's page, moving a start day takes two clicks and two texts."""
    page = visit("clerk")
    open_order(page, "/admin/orders/order/?state__exact=scheduled", "")
    page.locator('a[href*="/do/move_start/"]').first.click()
    page.fill("input[name=day]", "2035-01-01")
    submit(page, "客户要求改期")
    assert "对方受理后订单即改期" in page.locator(".messagelist").inner_text()
    assert page.locator('a[href*="/do/move_start/"]').count() == 0  # no further button until the first move is done


def test_an_approval_timeline(visit):
    page = visit("auditor")
    number = open_order(page, "/admin/orders/order/?state__exact=awaiting_approval", "")
    page.locator(".order-tabs a", has_text="审批").click()
    page.wait_for_load_state()
    text = page.locator(".order-tab").inner_text()
    assert "审批" in text
    page.goto(f"/admin/approvals/approvalrecord/?q={number}")
    operators = page.locator("td.field-who").all_inner_texts()
    assert operators
    assert all(operator in text for operator in operators)


def test_a_clerk_waives_a_finding(visit):
    page = visit("clerk")
    # an order that no other test uses
    number = open_order(page, "/admin/orders/order/?held_because__exact=files", "0099000")
    decide(page, "waive", "客户已补交纸质材料")
    page.goto(f"/admin/approvals/approvalrecord/?result__exact=waive&q={number}")
    assert "客户已补交纸质材料" in page.locator("#result_list").inner_text()
    page.goto(f"/admin/orders/order/?needs=somebody&q={number}")
    assert page.locator("#result_list tbody tr").count() == 0


def test_a_clerk_pushes_an_approval_once_a_day(visit):
    page = visit("clerk")
    open_order(page, "/admin/orders/order/?state__exact=awaiting_approval", "")
    page.locator('a[href*="/do/push/"]').first.click()
    assert "请尽快审批" in page.locator("pre.payload").inner_text()
    page.locator("form button[type=submit].button").click()
    page.wait_for_url("**/change/**")
    assert "今天已由" in page.locator(".whom-to-push").inner_text()
    assert page.locator('a[href*="/do/push/"]').count() == 0


def test_an_auditor_is_offered_no_decision(visit):
    page = visit("auditor")
    open_order(page, "/admin/orders/order/?needs=somebody", "")
    assert page.locator('a[href*="/do/"]').count() == 0


def test_a_limited_person_s_decisions_stop_at_the_border(visit):
    free, limited = visit("clerk"), visit("beijing")
    open_order(free, "/admin/orders/order/?attribution__letters__exact=SH", "")
    answer = limited.goto(free.url.split("?")[0].replace("/change/", "/do/note/"))
    assert answer.status == 404


def test_a_colleague_s_act_is_confirmed_in_three_clicks(visit):
    clerk = visit("clerk")
    number = open_order(clerk, "/admin/orders/order/?state__exact=awaiting_approval", "")
    address = clerk.url
    decide(clerk, "pass", "BPM 电话确认已通过")
    assert "尚未执行" in clerk.locator(".messagelist").inner_text()
    assert "待复核" in clerk.locator(".order-notice", has_text="提出").inner_text()
    judge = visit("judge")
    judge.goto("/admin/")
    judge.locator("a", has_text="待您复核").first.click()
    judge.wait_for_load_state()
    open_first(judge)
    assert number in judge.locator("#content").inner_text()
    assert overflow(judge) == 0
    judge.locator("button", has_text="确认执行").click()
    judge.wait_for_url("**/order/**")
    assert "已确认" in judge.locator(".messagelist").inner_text()
    clerk.goto(address)
    assert clerk.locator(".order-notice", has_text="提出").count() == 0
    assert [*clerk.faults, *judge.faults] == []
