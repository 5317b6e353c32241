"""Several browsers enter the same code at the same moment. Only one of them is logged in."""

from functools import partial

import pytest
from cryptography.fernet import Fernet
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import totp

from orders.models import OrderEvent, TrailEntry
from project.accounts.second_factor.codes import fernet, secret_in, set_up
from project.models import AuthenticatorApp, RecoveryCode, User
from tests.races.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)
LOGIN, CODE = reverse("admin:login"), reverse("admin:login_code")
BROWSERS = 4


@pytest.fixture
def owner(settings):
    """Returns (the key of wang's app, the recovery codes)."""
    settings.MFA_REQUIRED, settings.MFA_KEY = "everybody", Fernet.generate_key().decode()
    user = User.objects.create_superuser("wang", password="right")
    secret = secret_in({}, "")
    return fernet().decrypt(secret), set_up(user, secret=secret, step=0, now=timezone.now())


def behind_the_password():
    client = Client()
    assert client.post(LOGIN, {"username": "wang", "password": "right"})["Location"] == CODE
    return client


def enter(code):
    """Enters the same code in several browsers at the same moment.

    Returns the number of browsers that are logged in.
    """
    browsers = [behind_the_password() for _ in range(BROWSERS)]
    at_once(*(partial(one.post, CODE, {"code": code}) for one in browsers))
    return sum("_auth_user_id" in one.session for one in browsers)


def test_a_code_of_the_app(owner):
    assert enter(f"{totp(owner[0]):06}") == 1
    assert TrailEntry.objects.filter(code="login").count() == 1


def test_a_recovery_code(owner):
    assert enter(owner[1][0]) == 1
    assert RecoveryCode.objects.count() == 9
    assert OrderEvent.objects.filter(kind="recovery_code_used").count() == 1


@pytest.mark.parametrize("which", ["app", "recovery"])
def test_it_counts_once_without_the_lock_too(owner, which, monkeypatch):
    """A code counts only once even without the row's lock, because of the UPDATE and the DELETE statements themselves.

    The lock has another purpose: guesses must wait for each other.
    """
    objects = AuthenticatorApp.objects
    monkeypatch.setattr(type(objects), "select_for_update", lambda self, **_how: self.all(), raising=False)
    assert enter(owner[1][0] if which == "recovery" else f"{totp(owner[0]):06}") == 1


def test_guesses_at_the_same_moment_are_counted_one_by_one(owner):
    """Of four guesses at the same moment, the first is checked and counted. The others come too early."""
    browsers = [behind_the_password() for _ in range(BROWSERS)]
    at_once(*(partial(one.post, CODE, {"code": "000000"}) for one in browsers))
    assert AuthenticatorApp.objects.get().throttling_failure_count == 1
