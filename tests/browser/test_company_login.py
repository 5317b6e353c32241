"""Logging in with the company account and logging out again, in a browser and with a real provider."""

from urllib.parse import urlsplit

import pytest

from tests.browser.browsing import stranger
from tests.browser.desk import Desk
from tests.browser.test_access import BOTH, is_fine
from tests.company.conftest import ROLES
from tests.company.issuer import CLIENT, SECRET
from tests.company.real import RealProvider, needs_provider

pytestmark = needs_provider


class Door(Desk):
    """A desk without orders, whose people log in at a provider of the company log-in."""

    def prepare(self):
        self.provider = RealProvider(self, self.url)
        self.provider.start()

    @property
    def environment(self):
        given = {"SITE_URL": self.url, "OIDC_ISSUER": self.provider.url, "OIDC_NAME": "统一身份认证"}
        given |= {"OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET, "OIDC_ROLES": ROLES}
        return super().environment | given


@pytest.fixture(scope="module")
def door():
    with Door() as running:
        yield running


@pytest.fixture
def page(browser, door):
    page = stranger(browser, door.url)
    # refuses the fonts of the provider's pages
    page.route(lambda url: urlsplit(url).hostname != "127.0.0.1", lambda route: route.abort())
    yield page
    page.context.close()


def log_in(page, login):
    page.goto("/admin/orders/order/")
    page.get_by_role("link", name="统一身份认证").click()
    page.fill("[name=login]", login)
    page.fill("[name=password]", "any")
    page.click("button")
    page.click("button")  # agrees that the desk may have the account's data


def test_a_person_comes_in_and_out(page, door):
    """A person logs in and out on a phone in dark mode."""
    page.goto("/admin/")
    is_fine(page, BOTH)
    log_in(page, "li")
    page.wait_for_url(f"{door.url}/admin/orders/order/")
    assert "李明" in page.inner_text("#user-tools")
    page.locator("#logout-form button").click()
    page.wait_for_url(f"{door.provider.url}/session/end?**")
    page.click("button[name=logout]")
    page.wait_for_url(f"{door.url}/admin/login/**")


def test_who_may_not_work_here_reads_whom_to_ask(page):
    log_in(page, "wang")
    page.wait_for_selector("text=请联系")
    page.faults.clear()  # errors of the provider's pages
    is_fine(page, BOTH)
