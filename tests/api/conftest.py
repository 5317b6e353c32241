"""Another system that calls the read API with a token."""

import contextlib
import math
import sqlite3

import psycopg
import pytest
from django.core.cache import cache
from django.db import connection

from integrations.api import authentication, tokens
from tests import factories as make
from tests.admin.conftest import member  # noqa: F401  a fixture


class System:
    """A caller of the API. `get("/api/orders/", state="held")` returns the answer to a call with the token."""

    def __init__(self, client, text):
        self.client, self.headers = client, {"Authorization": f"Bearer {text}"}

    def get(self, address, *, headers=None, **parameters):
        return self.client.get(address, parameters, headers=self.headers | (headers or {}))

    def orders(self, **parameters):
        """Returns the order numbers on the first page of the list."""
        answer = self.get("/api/orders/", **parameters)
        assert answer.status_code == 200, answer.content
        return [row["order"] for row in answer.json()["results"]]

    def told_anew(self, address, change):
        """Asserts that a client with the current answer gets 304 before `change()`. Returns the answer after it."""
        has = {"If-None-Match": self.get(address)["ETag"]}
        same = self.get(address, headers=has)
        assert (same.status_code, same.content, same["ETag"]) == (304, b"", has["If-None-Match"])
        change()
        return self.get(address, headers=has)


@pytest.fixture
def system(client, monkeypatch):
    """Returns a function. `system(letters=["BJ"], personal=True)` returns a caller whose token has these rights."""
    cache.clear()  # forgets the calls that earlier tests made
    authentication.guesses.clear()
    monkeypatch.setattr(tokens, "_failed_at", -math.inf)

    def with_token(**token):
        return System(client, make.ApiTokenFactory(**token).begins)

    return with_token


@contextlib.contextmanager
def another_writer():
    """Simulates another process that keeps a lock which a call would need to write: SQLite's only lock, or the locks
    of the tokens' rows.
    """
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        with contextlib.closing(sqlite3.connect(settings["NAME"], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
    else:
        names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
        where = {name: settings[ours] for name, ours in names.items() if settings[ours]}
        with psycopg.connect(**where) as other:
            other.execute("SELECT 1 FROM integrations_apitoken FOR UPDATE")
            yield
            other.rollback()
