"""Staff in their roles, and what their pages hold."""

import datetime

import pytest
from django.contrib.auth.models import Group

from integrations.partners.profile import read_profile
from orders.lists import page_fingerprint
from tests import factories
from tests.admin.orders import PERMISSIONS, held_there, looked, staff, to_look_up


@pytest.fixture
def member(client):
    """`member("业务人员", letters=["BJ"])`: the client of a person in a role, limited to attributions where given."""

    def sign_in(*roles, letters=None):
        user = factories.UserFactory(letters=letters)
        user.groups.set(Group.objects.filter(name__in=roles))
        client.force_login(user)
        client.person = user
        return client

    return sign_in


@pytest.fixture
def boss(client):
    """A client with every permission, given one by one."""
    client.force_login(staff(*PERMISSIONS.values(), "see_personal_data", name="boss"))
    return client


@pytest.fixture
def books(monkeypatch):
    """The big-data side's answers to queries."""
    monkeypatch.setattr("orders.books.books.client.fetch_records", held_there)
    monkeypatch.setattr("orders.books.books.client.compare_now", looked)


@pytest.fixture
def partner_of_key(request, settings):
    """`look_up`, where a person enters the facts, needs a partner without look-up."""
    params = request.node.callspec.params.values() if hasattr(request.node, "callspec") else ()
    if "look_up" in params or to_look_up in params:
        settings.PARTNERS = read_profile('[bigdata]\nquery.path = ""')


@pytest.fixture
def counted_each_time(monkeypatch):
    """Counts the orders that need somebody on every request. Otherwise a process counts them at most every three
    seconds."""
    monkeypatch.setattr(page_fingerprint, "COUNTED_FOR", datetime.timedelta())
    monkeypatch.setattr(page_fingerprint, "COUNTED_EVERY", datetime.timedelta())
