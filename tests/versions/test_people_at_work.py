"""People work during the upgrade from 1.10.0, and after going back. They stay logged in, and can send their forms."""

import re
from pathlib import Path

import pytest
import requests

from tests.company.conftest import ROLES
from tests.company.issuer import CLIENT, SECRET
from tests.company.real import RealProvider, needs_provider
from tests.company.test_real_provider import Browser
from tests.harness.children import ROOT
from tests.harness.desk import ProcessDesk
from tests.harness.login import log_in
from tests.versions.releases import released

PASSWORD = "Xuanwu-Lake-1368"
NUMBERS = {"YA": "901", "YB": "902", "YC": "903"}


class Person:
    """Somebody who logs in with a password.

    A test can open a form as this person, change something, and send the form afterwards.
    """

    def __init__(self, url: str, name: str):
        self.url, self.name, self.browser, self.form = url, name, requests.Session(), {}
        self.log_in()

    def log_in(self) -> None:
        assert "/logout/" in log_in(self.browser, self.url, self.name, PASSWORD).text

    @staticmethod
    def _token(page: requests.Response) -> dict:
        return {"csrfmiddlewaretoken": re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]}

    def open_form(self, code: str) -> None:
        self.form = self._token(self.browser.get(f"{self.url}/admin/orders/province/add/", timeout=60))
        self.form |= {"letters": code, "code": NUMBERS[code], "name": code}

    def send_form(self) -> requests.Response:
        address = f"{self.url}/admin/orders/province/add/"
        headers = {"Referer": self.url}
        return self.browser.post(address, self.form, headers=headers, timeout=60, allow_redirects=False)

    def get(self, page: str = "") -> requests.Response:
        return self.browser.get(f"{self.url}/admin/{page}", timeout=60, allow_redirects=False)


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    """Returns a checkout of 1.10.0. Both tests share it, and so also its compiled Python files."""
    return released("1.10.0", tmp_path_factory.mktemp("before"))


@pytest.fixture
def desk(tmp_path, postgres, old):
    desk = ProcessDesk(tmp_path, postgres=postgres, root=old)
    desk.settings |= {"SITE_URL": desk.web_url, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    with desk:
        for name in ("wang", "li", "zhao"):
            desk.manage("createsuperuser", "--noinput", "--username", name, "--email", f"{name}@example.com")
        yield desk


def take_over(desk: ProcessDesk, root: Path) -> None:
    desk.stop("web")
    desk.root = root
    desk.start_web()


def provinces(desk: ProcessDesk) -> set[str]:
    return {name for (name,) in desk.rows("SELECT name FROM orders_province WHERE letters IN ('YA', 'YB', 'YC')")}


@pytest.mark.versions
def test_the_upgrade_and_the_way_back_keep_people_at_work(desk, old):
    wang = Person(desk.web_url, "wang")
    wang.open_form("YA")
    desk.manage("migrate", "-v0", root=ROOT)
    assert wang.get().status_code == 200
    li = Person(desk.web_url, "li")  # 1.10.0 begins this session on the new schema

    take_over(desk, ROOT)
    assert [one.get().status_code for one in (wang, li)] == [200, 200]
    assert wang.send_form().status_code == 302
    assert provinces(desk) == {"YA"}
    shown = wang.get("sessions/")
    assert (shown.status_code, "本次会话" in shown.text) == (200, True)
    zhao = Person(desk.web_url, "zhao")
    for one, code in ((zhao, "YB"), (wang, "YC")):
        one.open_form(code)
    assert desk.rows("SELECT count(*) FROM project_accountsession") == [(3,)]

    take_over(desk, old)
    assert [one.get().status_code for one in (wang, li, zhao)] == [200, 200, 200]
    assert [one.send_form().status_code for one in (zhao, wang)] == [302, 302]
    assert provinces(desk) == {"YA", "YB", "YC"}
    li.browser.post(f"{desk.web_url}/admin/logout/", li._token(li.get()), headers={"Referer": desk.web_url}, timeout=60)
    assert li.get().status_code == 302
    li.log_in()

    take_over(desk, ROOT)
    assert [one.get().status_code for one in (wang, li, zhao)] == [200, 200, 200]
    assert "Traceback" not in desk.all_logs()


@pytest.mark.versions
@needs_provider
def test_a_session_of_the_company_log_in_goes_on_too(desk, old):
    real = RealProvider(desk, desk.web_url)
    real.start()
    desk.settings |= {"OIDC_ISSUER": real.url, "OIDC_ROLES": ROLES}
    desk.settings |= {"OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET}
    take_over(desk, old)
    browser = Browser(desk.web_url)
    assert browser.log_in("li").status_code == 302
    desk.manage("migrate", "-v0", root=ROOT)
    take_over(desk, ROOT)
    shown = browser.desk.get("/admin/sessions/")
    assert (shown.status_code, "公司账号登录" in shown.text) == (200, True)
    take_over(desk, old)
    assert browser.desk.get("/admin/").status_code == 200
    assert "Traceback" not in desk.all_logs()
