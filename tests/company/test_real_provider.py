"""The company log-in with a real provider (npm's oidc-provider) in a process of its own, restarted and killed."""

import re
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests
from django.test import Client

from project.accounts.company import provider
from project.models import User
from tests.company.conftest import CALLBACK, START, goes_on_to, with_company
from tests.company.real import RealProvider, needs_provider
from tests.harness.children import Children

SITE = "http://testserver"
FORM = re.compile(r'<form[^>]* action="([^"]+)"')
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')

pytestmark = [pytest.mark.django_db, needs_provider]


@pytest.fixture
def real(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(provider, "PAUSE", 0.0)
    with Children(tmp_path) as children:
        found = RealProvider(children, SITE)
        found.start()
        with_company(settings, found.url)
        yield found
    provider.kept.forget()


class Browser:
    """One person's browser: cookies of the desk and of the provider."""

    def __init__(self):
        self.desk, self.away = Client(), requests.Session()

    def log_in(self, login: str):
        """The desk's answer to the way through the provider, whose forms are filled in."""
        answer = self.away.get(self.desk.get(START)["Location"], allow_redirects=False)
        for _ in range(12):
            address = urljoin(answer.url, answer.headers.get("Location", ""))
            if address.startswith(SITE + CALLBACK):
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
    thief.get(START)
    session = thief.session
    state = next(iter(session["oidc_states"]))
    assert thief.get(CALLBACK, {"code": asked["code"], "state": state}).status_code == 400
    assert "_auth_user_id" not in thief.session


def test_new_keys_are_taken_while_people_work(real):
    browser = Browser()
    assert browser.log_in("li").status_code == 302
    real.kill()
    real.start()
    assert Browser().log_in("li").status_code == 302
    assert browser.desk.get("/admin/").status_code == 200


def test_a_provider_that_is_killed_keeps_nobody_from_work(real):
    browser = Browser()
    assert browser.log_in("li").status_code == 302
    real.kill()
    provider.kept.forget()
    assert Client().get(START).status_code == 503
    assert browser.desk.get("/admin/").status_code == 200
    assert browser.desk.post("/admin/logout/").status_code == 200
    real.start()
    assert Browser().log_in("li").status_code == 302
