"""Fixtures for the tests of the staff's pages: clients of staff in their roles, and the big-data side's answers."""

import datetime

import pytest
from django.contrib.auth.models import Group

from integrations.partners.profile import read_profile
from orders.lists import page_fingerprint
from tests import factories
from tests.admin.orders import PERMISSIONS, held_there, looked, staff, to_look_up


@pytest.fixture
def member(client):
    """Returns a function. `member("业务人员", letters=["BJ"])` returns the client of a person in this role. `letters`,
    if given, limits the person to these attributions.
    """

    def sign_in(*roles, letters=None):
        user = factories.UserFactory(letters=letters)
        user.groups.set(Group.objects.filter(name__in=roles))
        client.force_login(user)
        client.person = user
        return client

    return sign_in


@pytest.fixture
def boss(client):
    """A client whose user has every permission, each given to the user and not by a role."""
    client.force_login(staff(*PERMISSIONS.values(), "see_personal_data", name="boss"))
    return client


@pytest.fixture
def books(monkeypatch):
    """Replaces the big-data side's answers to queries with the records of `held_there` and the comparison of
    `looked`.
    """
    monkeypatch.setattr("orders.books.books.client.fetch_records", held_there)
    monkeypatch.setattr("orders.books.books.client.compare_now", looked)


@pytest.fixture
def partner_of_key(request, settings):
    """Makes a big-data side without a look-up for the tests of `look_up`, because there a person enters the facts."""
    params = request.node.callspec.params.values() if hasattr(request.node, "callspec") else ()
    if "look_up" in params or to_look_up in params:
        settings.PARTNERS = read_profile('[bigdata]\nquery.path = ""')


@pytest.fixture
def counted_each_time(monkeypatch):
    """Makes the desk count the orders that need somebody on every request. Otherwise a process counts them at most
    every three seconds.
    """
    monkeypatch.setattr(page_fingerprint, "COUNTED_FOR", datetime.timedelta())
    monkeypatch.setattr(page_fingerprint, "COUNTED_EVERY", datetime.timedelta())
