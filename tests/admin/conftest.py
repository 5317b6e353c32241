"""Staff in their roles, and what their pages hold."""

import pytest
from django.contrib.auth.models import Group

from tests import factories


@pytest.fixture
def member(client):
    """`member("业务人员", letters=["BJ"])`: the client of a person in a role, limited to attributions where given."""

    def sign_in(*roles, letters=None):
        user = factories.UserFactory()
        user.groups.set(Group.objects.filter(name__in=roles))
        if letters is not None:
            factories.StaffScopeFactory(user=user, letters=letters)
        client.force_login(user)
        client.person = user
        return client

    return sign_in
