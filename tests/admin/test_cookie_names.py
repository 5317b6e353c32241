"""With HTTPS_ONLY cookies have names that no other host can set. 1.6 reads the old names too."""

import datetime

import pytest
from django.test import Client
from django.urls import reverse

from project.models import User

pytestmark = pytest.mark.django_db
PAGE, DOOR, OUT = reverse("admin:orders_order_changelist"), reverse("admin:login"), reverse("admin:logout")
NEW, OLD = ("__Host-sessionid", "__Host-csrftoken"), ("sessionid", "csrftoken")


def take_new_names(settings):
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = NEW
    settings.HTTPS_ONLY = settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True


@pytest.fixture
def browser(settings, clock):
    """A browser that logged in before the upgrade; the desk is upgraded now."""
    User.objects.create_superuser("wang", password="right")
    browser = Client(enforce_csrf_checks=True)
    browser.get(DOOR)
    log_in(browser)
    assert {*OLD} <= set(browser.cookies)
    take_new_names(settings)
    return browser


def log_in(browser, token="csrftoken"):
    form = {"username": "wang", "password": "right", "csrfmiddlewaretoken": browser.cookies[token].value}
    return browser.post(DOOR, form, secure=True, headers={"Referer": "https://testserver/"})


def log_out(browser, token):
    form = {"csrfmiddlewaretoken": browser.cookies[token].value}
    return browser.post(OUT, form, secure=True, headers={"Referer": "https://testserver/"})


def is_open(browser) -> bool:
    return browser.get(PAGE, secure=True).status_code == 200


def test_the_upgrade_logs_nobody_out_and_forms_that_are_open_are_taken(browser):
    assert is_open(browser)
    assert log_out(browser, "csrftoken").status_code == 200


def test_a_log_out_ends_both_names(browser):
    old = browser.cookies["sessionid"].value
    log_out(browser, "csrftoken")
    assert browser.cookies["sessionid"].value == ""
    browser.cookies["sessionid"] = old
    assert not is_open(browser)


def test_use_gives_the_session_its_new_name(browser, clock):
    clock.shift(datetime.timedelta(minutes=2))
    assert is_open(browser)
    assert browser.cookies["__Host-sessionid"].value == browser.cookies["sessionid"].value
    del browser.cookies["sessionid"]
    assert is_open(browser)


def test_the_new_name_counts_where_both_are(browser):
    browser.cookies["__Host-sessionid"] = "a" * 32
    assert not is_open(browser)


def test_a_new_log_in_sets_cookies_of_this_host_alone(settings):
    User.objects.create_superuser("wang", password="right")
    take_new_names(settings)
    browser = Client(enforce_csrf_checks=True)
    browser.get(DOOR, secure=True)
    log_in(browser, "__Host-csrftoken")
    assert not set(OLD) & set(browser.cookies)
    for name in NEW:
        cookie = browser.cookies[name]
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
    assert is_open(browser)


def test_without_https_the_names_are_as_ever(client):
    client.get(DOOR)
    assert set(client.cookies) == {"csrftoken"}
