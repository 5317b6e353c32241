"""With HTTPS_ONLY cookies have names that no other host can set; since 1.7 no others are read."""

import pytest
from django.test import Client
from django.urls import reverse

from project.models import User

pytestmark = pytest.mark.django_db
PAGE, DOOR = reverse("admin:orders_order_changelist"), reverse("admin:login")
NEW, OLD = ("__Host-sessionid", "__Host-csrftoken"), ("sessionid", "csrftoken")


@pytest.fixture
def browser(settings):
    """A browser that has logged in over https."""
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = NEW
    settings.HTTPS_ONLY = settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    User.objects.create_superuser("wang", password="right")
    browser = Client(enforce_csrf_checks=True)
    browser.get(DOOR, secure=True)
    form = {"username": "wang", "password": "right", "csrfmiddlewaretoken": browser.cookies["__Host-csrftoken"].value}
    browser.post(DOOR, form, secure=True, headers={"Referer": "https://testserver/"})
    return browser


def is_open(browser) -> bool:
    return browser.get(PAGE, secure=True).status_code == 200


def test_cookies_are_of_this_host_alone(browser):
    assert not set(OLD) & set(browser.cookies)
    for name in NEW:
        cookie = browser.cookies[name]
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
    assert is_open(browser)


def test_a_cookie_that_another_host_may_set_opens_nothing(browser):
    browser.cookies["sessionid"] = browser.cookies.pop("__Host-sessionid").value
    assert not is_open(browser)


def test_without_https_the_names_are_as_ever(client):
    client.get(DOOR)
    assert set(client.cookies) == {"csrftoken"}
