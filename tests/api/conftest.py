"""Another system that reads with a token."""

import pytest
from django.core.cache import cache

from tests import factories as make
from tests.admin.conftest import member  # noqa: F401  a fixture


class System:
    """`get("/api/orders/", state="held")`: an answer to a call with this token's text."""

    def __init__(self, client, text):
        self.client, self.headers = client, {"Authorization": f"Bearer {text}"}

    def get(self, address, *, headers=None, **parameters):
        return self.client.get(address, parameters, headers=self.headers | (headers or {}))

    def orders(self, **parameters):
        """The numbers on the first page of the list."""
        answer = self.get("/api/orders/", **parameters)
        assert answer.status_code == 200, answer.content
        return [row["order"] for row in answer.json()["results"]]


@pytest.fixture
def system(client):
    """`system(letters=["BJ"], personal=True)`: a system whose token is so."""
    cache.clear()  # the calls that earlier tests made

    def with_token(**token):
        return System(client, make.ApiTokenFactory(**token).begins)

    return with_token
