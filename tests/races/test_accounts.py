"""Two administrators remove each other's rights at the same moment. At least one keeps the rights (contract 3.11)."""

from functools import partial

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from project.models import User
from tests import factories
from tests.races.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)
WAYS = {
    "the page that disables": ("project_user_standing", {"active": "True"}),
    "the form, disabled": ("project_user_change", {"is_staff": "on", "groups": True}),
    "the form, without the role": ("project_user_change", {"is_active": "on", "is_staff": "on"}),
    "the form, limited": (
        "project_user_change",
        {"is_active": "on", "is_staff": "on", "groups": True, "limited": "on"},
    ),
}


def who_manages():
    able = User.objects.filter(is_active=True, is_staff=True, limited=False, groups__name="管理员")
    return list(able.values_list("pk", flat=True))


@pytest.mark.parametrize("ways", [(way, way) for way in WAYS] + [("the page that disables", "the form, limited")])
def test_of_two_who_lower_each_other_one_stays(ways):
    role = Group.objects.get(name="管理员")
    people = [factories.UserFactory() for _ in range(2)]
    clients = []
    for one in people:
        one.groups.set([role])
        client = Client()
        client.force_login(one)
        clients.append(client)

    def post(client, other, way):
        page, sent = WAYS[way]
        sent = {"username": other.username} | sent | ({"groups": [role.pk]} if "groups" in sent else {})
        return client.post(reverse(f"admin:{page}", args=[other.pk]), sent).status_code

    for client in clients:
        client.get(reverse("admin:index"))
    answers = at_once(*(partial(post, *row) for row in zip(clients, reversed(people), ways, strict=True)))
    assert 500 not in answers
    assert len(who_manages()) >= 1, answers
