"""An administrator makes a token for another system, sees it once, and revokes it."""

import datetime

import requests

from tests.browser.test_access import is_fine

LIST, ADD = "/admin/integrations/apitoken/", "/admin/integrations/apitoken/add/"


def make_token(page, system):
    """Makes a token on its page, and returns its text as the page shows it."""
    page.goto(LIST)
    page.locator(".object-tools a").click()
    page.fill("#id_system", system)
    page.fill("#id_valid_until", (datetime.date.today() + datetime.timedelta(days=365)).isoformat())
    page.get_by_role("button", name="保存", exact=True).click()
    return page.locator("#token-text").inner_text()


def read(desk, token):
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{desk.url}/api/orders/", params={"limit": 2}, headers=headers, timeout=30)


def test_it_is_shown_once_works_and_is_revoked(desk, visit):
    page = visit("keeper")
    token = make_token(page, "经营分析系统")
    assert len(read(desk, token).json()["results"]) == 2
    page.get_by_role("link", name="已妥善保存").click()
    page.get_by_role("link", name="经营分析系统").click()
    page.wait_for_url("**/change/")
    assert token not in page.content()
    assert token[:8] in page.content()
    page.get_by_role("link", name="吊销", exact=True).click()
    page.fill("#id_reason", "系统下线")
    page.get_by_role("button", name="吊销", exact=True).click()
    page.wait_for_selector(".messagelist .success")
    assert read(desk, token).status_code == 401


def test_its_pages_can_be_read_by_everybody(visit):
    page = visit("keeper")
    make_token(page, "数据分析系统")
    is_fine(page)
    page.goto(ADD)
    is_fine(page)
    page.goto(LIST)
    is_fine(page)
    page.locator("#result_list th a").first.click()
    page.wait_for_url("**/change/")
    is_fine(page)
    page.get_by_role("link", name="吊销", exact=True).click()
    page.wait_for_url("**/revoke/")
    is_fine(page)
