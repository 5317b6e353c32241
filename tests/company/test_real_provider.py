"""The company log-in with a real provider (npm's oidc-provider), which runs as a process of its own, and is restarted
and killed.
"""

import re
import threading
import time
from collections import Counter
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests
from django.test import Client

from project.accounts.company import provider
from project.models import User
from tests.company.conftest import CALLBACK, ROLES, START, asked_of, goes_on_to, with_company
from tests.company.issuer import CLIENT, SECRET
from tests.company.real import RealProvider, needs_provider
from tests.harness.children import Children
from tests.harness.desk import ProcessDesk
from tests.harness.waiting import until

SITE = "http://testserver"
FORM = re.compile(r'<form[^>]* action="([^"]+)"')
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')

pytestmark = [pytest.mark.django_db, needs_provider]


@pytest.fixture
def real(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(provider, "RETRY_AFTER_SECONDS", 0.0)
    with Children(tmp_path) as children:
        found = RealProvider(children, SITE)
        found.start()
        with_company(settings, found.url)
        yield found
    provider.cache.forget()


class Live(requests.Session):
    """Calls a desk of real processes through the same methods as Django's test client."""

    def __init__(self, url: str):
        super().__init__()
        self.site = url

    def get(self, path, data=None):
        return super().get(self.site + path, params=data, allow_redirects=False, timeout=30)


class Browser:
    """One person's browser, with the cookies of the desk and of the provider. Without an address it uses the desk in
    the test's own process.
    """

    def __init__(self, url: str = ""):
        self.site, self.away = url or SITE, requests.Session()
        self.desk = Live(url) if url else Client()

    def log_in(self, login: str):
        """Logs in through the provider and fills in its forms. Returns the desk's last answer, or its first one if
        that is no redirect to the provider.
        """
        began = self.desk.get(START)
        if began.status_code != 302:
            return began
        answer = self.away.get(began.headers["Location"], allow_redirects=False)
        for _ in range(12):
            address = urljoin(answer.url, answer.headers.get("Location", ""))
            if address.startswith(self.site + CALLBACK):
                return self.desk.get(CALLBACK, dict(parse_qsl(urlsplit(address).query)))
            if answer.is_redirect:
                answer = self.away.get(address, allow_redirects=False)
                continue
            form = dict(HIDDEN.findall(answer.text)) | {"login": login, "password": "any"}
            answer = self.away.post(urljoin(answer.url, FORM.search(answer.text)[1]), form, allow_redirects=False)
        raise AssertionError(f"the provider ended with {answer.status_code}: {answer.text[:300]}")

    @property
    def user(self) -> User:
        return User.objects.get(pk=self.desk.session["_auth_user_id"])


def test_a_person_comes_in_and_out(real):
    browser = Browser()
    assert browser.log_in("li").status_code == 302
    user = browser.user
    assert (user.username, str(user), user.email) == ("li.ming", "李明", "")
    assert ([role.name for role in user.groups.all()], user.limited) == (["业务人员"], True)
    again = Browser()
    assert again.log_in("li").status_code == 302
    assert again.user == user

    left = browser.desk.post("/admin/logout/")
    page = browser.away.get(goes_on_to(left))
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text)) | {"logout": "yes"}
    ended = browser.away.post(FORM.search(page.text)[1], form, allow_redirects=False)
    assert ended.headers["Location"].startswith(f"{SITE}/admin/login/")
    asked = browser.away.get(browser.desk.get(START)["Location"])
    assert 'name="password"' in asked.text


def test_with_another_secret_there_log_ins_wait_for_ours_and_sessions_go_on(real, settings):
    """The provider's secret is changed before ours, as docs/operations.md describes ("Change a secret"). Meanwhile
    sessions go on, and log-ins fail until ours is changed too.
    """
    inside, outside = Browser(), Browser()
    assert inside.log_in("li").status_code == 302
    real.kill()
    real.start(secret="the-new-one")
    refused = outside.log_in("li")
    assert refused.status_code == 503
    assert inside.desk.get("/admin/").status_code == 200
    settings.OIDC_CLIENT_SECRET = "the-new-one"
    assert outside.log_in("li").status_code == 302
    assert outside.user == inside.user


def test_a_person_without_a_group_stays_outside(real):
    answer = Browser().log_in("wang")
    assert (answer.status_code, User.objects.exists()) == (403, False)


def test_a_code_counts_once(real):
    browser = Browser()
    asked = {}
    get = browser.desk.get
    browser.desk.get = lambda path, data=None, **more: (asked.update(data or {}), get(path, data, **more))[1]
    assert browser.log_in("li").status_code == 302
    thief = Client()
    state = asked_of(thief.get(START))["state"]
    assert thief.get(CALLBACK, {"code": asked["code"], "state": state}).status_code == 400
    assert "_auth_user_id" not in thief.session


def test_one_that_is_killed_and_comes_back_with_new_keys_keeps_nobody_from_work(real):
    browser = Browser()
    assert browser.log_in("li").status_code == 302
    real.kill()
    assert Client().get(START).status_code == 503
    assert browser.desk.get("/admin/").status_code == 200
    real.start()
    assert Browser().log_in("li").status_code == 302
    assert browser.desk.get("/admin/").status_code == 200
    real.kill()
    assert browser.desk.post("/admin/logout/").status_code == 200


class Traffic:
    """One person works on the desk, and others log in all the time. `pages` and `doors` count the answers, and
    `came_in` lists the times of log-ins.
    """

    def __init__(self, url: str):
        self.url, self.ends = url, threading.Event()
        self.pages, self.doors, self.came_in = Counter(), Counter(), []
        inside = Browser(url)
        assert inside.log_in("li").status_code == 302
        self.threads = [threading.Thread(target=self._work, args=[inside])]
        self.threads += [threading.Thread(target=self._knock) for _ in range(2)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self.ends.set()
        for thread in self.threads:
            thread.join()

    def _work(self, browser):
        while not self.ends.wait(0.05):
            self.pages[browser.desk.get("/admin/").status_code] += 1

    def _knock(self):
        while not self.ends.wait(0.1):
            try:
                answer = Browser(self.url).log_in("li")
            except (requests.RequestException, TypeError):  # the provider died during the log-in
                continue
            self.doors[answer.status_code, "公司账号登录没有响应" in answer.text] += 1
            if answer.status_code == 302:
                self.came_in.append(time.monotonic())

    def until_somebody_comes_in(self) -> None:
        now = time.monotonic()
        until(lambda: any(at > now for at in self.came_in), what="somebody comes in")

    def until_the_door_says_so(self) -> None:
        said = self.doors[503, True]
        until(lambda: self.doors[503, True] > said + 3, what="the door says that the provider is away")


def test_it_dies_and_comes_back_with_new_keys_under_traffic(tmp_path):
    desk = ProcessDesk(tmp_path, OIDC_ROLES=ROLES, OIDC_CLIENT_ID=CLIENT, OIDC_CLIENT_SECRET=SECRET)
    real = RealProvider(desk, desk.web_url)
    desk.settings |= {"SITE_URL": desk.web_url, "OIDC_ISSUER": real.url}
    with desk:
        real.start()
        with Traffic(desk.web_url) as traffic:
            traffic.until_somebody_comes_in()
            real.kill()
            traffic.until_the_door_says_so()
            real.start()
            traffic.until_somebody_comes_in()
        assert set(traffic.pages) == {200}
        # 400: the provider died after it gave the code and before it gave its keys
        assert set(traffic.doors) <= {(302, False), (503, True), (400, False)}
        assert "Traceback" not in desk.all_logs()
