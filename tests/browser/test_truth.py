"""Orders that have more problems than their state shows: what staff see, and what they do about it."""

import itertools

from tests.browser.browsing import SIZES, overflow, turn
from tests.browser.pages import open_first, submit

LIST = "/admin/orders/order/?q="
DOUBTS = {
    "100A-UNBILLED": "客户已开通服务，大数据侧却没有对应话单",
    "100A-RETURNED": "BPM 已退回",
    "100A-FILES": "缺少信安文件",
    "100A-WAIVED": "已豁免",
    "100A-BEHIND": "排在失败订单之后",
}


def open_order(page, number, tab=""):
    page.goto(f"{LIST}{number}")
    open_first(page)
    if tab:
        page.goto(f"{page.url.split('?')[0]}?tab={tab}")


def test_the_pages_tell_it_and_fit_the_window(visit):
    page, wrong = visit("engineer"), []

    def look_at(address, words):
        page.goto(address)
        for look in itertools.product(SIZES, ("light", "dark")):
            turn(page, *look)
            if overflow(page) or words not in page.locator("#content").inner_text():
                wrong.append((address, words, look))

    for number, words in DOUBTS.items():
        open_order(page, number)
        for tab in ("", "?tab=files", "?tab=billing"):
            look_at(page.url.split("?")[0] + tab, words)
    look_at("/admin/", "")
    assert (wrong, page.faults) == ([], [])


def test_a_customer_who_is_not_billed_leads_from_the_dashboard_to_the_repair(visit):
    page = visit("engineer")
    page.goto("/admin/")
    first = page.locator(".problems a").first
    assert "已开通服务但没有话单" in first.inner_text()
    first.click()
    page.wait_for_url("**needs=unbilled*")
    open_first(page)
    assert page.locator("h1").inner_text() == "100A-UNBILLED"
    assert page.locator(".order-title .chip-green, .ladder .tone-green").count() == 0
    page.locator(".order-tools a.button").first.click()
    page.wait_for_load_state()
    assert "重新发送 1 条" in page.locator(".will").inner_text()
    page.fill("textarea[name=reason]", "客户在用")
    page.locator("form button[type=submit].button").click()  # fails, because no big-data side answers here
    page.wait_for_selector(".errorlist")
    assert "大数据侧" in page.locator(".errorlist").first.inner_text()


def test_who_waits_behind_a_failed_order_is_led_to_it(visit):
    page = visit("clerk")
    open_order(page, "100A-BEHIND")
    page.locator(".current a", has_text="100A-FAILEDTRIAL").click()
    page.wait_for_load_state()
    assert page.locator("h1").inner_text() == "100A-FAILEDTRIAL"


def test_a_returned_order_leads_to_bpm(visit):
    page = visit("clerk")
    page.goto("/admin/orders/order/?needs=returned")
    assert "BPM 已退回" in page.locator("#result_list").inner_text()
    open_order(page, "100A-RETURNED")
    link = page.locator(".current a", has_text="在 BPM 中打开")
    assert link.get_attribute("href") == "https://bpm.example.com/tasks/P-2026-0007?order=100A-RETURNED"


LOOKED_AT = """
from django.utils import timezone
from integrations.models import Heartbeat
from orders.models import Dispatch
now = timezone.now()
Heartbeat.objects.update(seen_at=now)  # the desk's only heartbeat is old by now
later = now + timezone.timedelta(minutes=5)
step = Dispatch.objects.filter(order__number="100A-FILES", step="check_files")
step.update(state="retrying", next_try_at=later, lease_token=None)
"""  # as a worker leaves the step; no worker runs here, and an earlier test that sent mails may have taken it


def test_files_are_looked_at_again_by_a_button_and_the_result_shows_by_itself(visit, desk):
    desk.run("manage.py", "shell", "--verbosity", "0", "-c", LOOKED_AT)
    page = visit("clerk")
    open_order(page, "100A-FILES", "files")
    assert page.locator(".order-tab .chip-amber").count() == 2
    page.wait_for_load_state()
    page.locator("button", has_text="立即重新检查").press("Enter")
    page.wait_for_selector(".messagelist .success")
    assert page.url.endswith("?tab=files#tabs")
    told = page.locator("#content").inner_text()
    assert "已交给后台处理" in told
    desk.run("manage.py", "shell", "--verbosity", "0", "-c", LOOKED_AT)
    page.wait_for_selector(".order-tab >> text=系统会自动再检查", timeout=20_000)
    assert page.locator(".order-notice").count() == 0
    assert page.locator("meta[http-equiv=refresh]").count() == 0


def test_an_incident_whose_orders_still_fail_is_not_resolved(visit):
    page = visit("clerk")
    page.goto("/admin/orders/incident/?open=yes&partner=bpm")
    open_first(page)
    incident = page.url.partition("?")[0]
    page.locator("form.acts a", has_text="已解决").click()
    page.wait_for_load_state()
    told = page.locator("#content").inner_text()
    assert "仍受阻的订单" in told
    assert "失败" in page.locator("table.short").inner_text()
    assert "并未解决" in page.locator(".nothing[role=alert]").inner_text()
    assert page.locator("#content form button").count() == 0
    page.locator("a.button", has_text="返回异常").click()
    page.wait_for_url(incident)
    page.fill("#id_note", "已联系 BPM")
    page.locator("form.acts button", has_text="添加备注").click()
    page.wait_for_selector(".messagelist .success")
    assert "已联系 BPM" in page.locator(".notes .note").first.inner_text()
    assert page.faults == []


def test_a_conflict_is_seen_to_with_a_reason(visit):
    page = visit("clerk")
    page.goto("/admin/orders/conflict/?seen=no")
    open_first(page)
    page.locator("a.button", has_text="冲突已处理").click()
    page.wait_for_load_state()
    submit(page, "已与 BBOSS 确认")
    assert page.locator(".order-notice", has_text="再次发来不同内容").count() == 0


def test_what_is_late_in_a_province_is_one_click_away(visit):
    page = visit("clerk")
    page.goto("/admin/")
    card = page.locator("section[aria-labelledby=late-h]")
    number = int(card.locator("li a").first.inner_text())
    card.locator("li a").first.click()
    page.wait_for_url("**overtime=yes*")
    marks = page.locator("#result_list .overtime")
    assert marks.count() == min(number, page.locator("#result_list tbody tr").count())
    assert "超时" in marks.first.inner_text()
    assert overflow(page) == 0
    assert page.faults == []


def test_a_limit_of_zero_is_refused_and_another_is_kept(visit):
    page = visit("keeper")
    page.goto("/admin/orders/timelimit/")
    open_first(page)
    before = page.input_value("input[name=amount]")
    page.fill("input[name=amount]", "0")
    page.locator("form").evaluate_all("forms => forms.forEach(form => form.noValidate = true)")
    page.locator("input[name=_save]").click()
    assert "时限至少为 1" in page.locator(".errorlist").inner_text()
    page.fill("input[name=amount]", before)
    page.locator("input[name=_save]").click()
    page.wait_for_url("**/timelimit/")
    assert overflow(page) == 0
    assert page.faults == []
