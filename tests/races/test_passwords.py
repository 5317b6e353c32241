"""Many people use links to set a password at the same moment.

An account's name gets only a few links an hour, and a link sets one password.
"""

from functools import partial

import pytest
from django.test import Client
from django.urls import reverse

from notifications.models import Mail
from orders.models import TrailEntry
from project.accounts.passwords.links import MAX_PER_NAME, RESET, link
from project.models import User
from tests.races.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORDS = [f"Xuanwu-Lake-{number}" for number in range(1368, 1372)]


@pytest.fixture
def wang():
    return User.objects.create_user("wm", "wang@example.com", "Lotus-Pond-1127", is_staff=True)


def test_a_name_gets_no_more_when_many_ask_at_once(wang):
    def ask(number):
        return Client().post(reverse("admin_password_reset"), {"name": "wm"}, REMOTE_ADDR=f"10.0.0.{number}")

    answers = at_once(*(partial(ask, number) for number in range(8)))
    assert sorted(answer.status_code for answer in answers) == [302] * MAX_PER_NAME + [429] * (8 - MAX_PER_NAME)
    assert Mail.objects.count() == MAX_PER_NAME


def test_a_link_sets_one_password_when_many_use_it_at_once(wang):
    address = link(User.objects.get(), RESET)
    clients = [Client() for _ in PASSWORDS]
    for client in clients:
        client.get(address)

    def set_it(client, password):
        form = {"new_password1": password, "new_password2": password}
        return client.post(reverse("password_link"), form).headers.get("Location", "")

    found = at_once(*(partial(set_it, *pair) for pair in zip(clients, PASSWORDS, strict=True)))
    [place] = [place for place, address in enumerate(found) if address.startswith(reverse("admin:login"))]
    assert User.objects.get().check_password(PASSWORDS[place])
    assert TrailEntry.objects.filter(code="password_set").count() == 1
