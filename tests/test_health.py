"""Pages for machines: what they answer, who may read them, and that they never fail with an error page."""

import datetime
from unittest.mock import Mock

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from orders.models import Dispatch
from tests import factories


@pytest.fixture
def beat(db):
    """Returns a function that makes a heartbeat of a worker, `seconds` ago."""

    def make(seconds=0):
        return factories.HeartbeatFactory(seen_at=timezone.now() - datetime.timedelta(seconds=seconds))

    return make


def test_livez_needs_no_database(client):
    answer = client.get("/livez")  # the test has no database mark, so a query would fail it
    assert (answer.status_code, answer.content) == (200, b"ok")


def test_ready(client, beat):
    beat()
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert answer.json()["reasons"] == []
    assert answer.json()["oldest_due_seconds"] == 0


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no such switch")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("address", ["/readyz", "/readyz?for=intake"])
def test_a_database_that_takes_no_writes_is_a_reason(client, beat, address):
    """Queries still work on such a database, so only this answer tells the load balancer about it."""
    beat()
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        try:
            answer = client.get(address)
        finally:
            cursor.execute("RESET default_transaction_read_only")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["the database takes no writes"])


def test_the_newest_heartbeat_counts(client, clock, beat):
    beat(600)
    beat(119)
    assert client.get("/readyz").json()["heartbeat_age_seconds"] == 119
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("seconds", [120, 3600])
def test_a_silent_worker_is_a_reason(client, clock, beat, seconds):
    beat(seconds)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["no worker gave a sign of life within 2 minutes"])


def test_a_missing_migration_is_a_reason(client, beat, monkeypatch):
    beat()
    monkeypatch.setattr("project.observability.readiness.missing_migrations", lambda: ["orders.0009_next"])
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["migrations are not applied"])
    assert answer.json()["migrations"] == ["orders.0009_next"]


@pytest.mark.django_db
def test_a_migration_that_was_not_recorded_is_missing(client):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'integrations'")
    assert client.get("/readyz").json()["migrations"][0] == "integrations.0001_squashed_0010_failing_since"


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/readyz", "/readyz?for=intake"])
def test_whatever_the_database_says_the_answer_is_json(client, monkeypatch, address):
    """If a connection ends while a new one is being checked, Django is left without one. The answer is JSON even then,
    and not an HTML page with status 500.
    """
    refused = Mock(side_effect=OperationalError("connection refused"))
    for place, broken, reason in [
        ("django.db.connection.cursor", refused, "the database does not answer"),
        (
            "project.observability.readiness.missing_migrations",
            lambda: None.cursor(),
            "the desk can't tell how it is; the log says why",
        ),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(place, broken)
            answer = client.get(address)
        assert (answer.status_code, answer.json()["reasons"]) == (503, [reason])


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Django does not close SQLite's connection in memory")
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_ends_while_it_is_looked_at_is_a_database_that_is_away(client, monkeypatch):
    """An old primary server that waits for its standby answers queries, but the desk can't note there that the
    database counts as restored. The connection ends during that attempt.
    """

    def lose() -> None:
        connection.close()

    connection.close()
    monkeypatch.setattr("orders.restore.detect_restore.read_restore_state", lose)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["the database does not answer"])


def test_the_oldest_open_dispatch_that_is_due_counts(client, clock, beat):
    beat()
    now = timezone.now()

    def at(seconds, state):
        factories.DispatchFactory(state=state, next_try_at=now + datetime.timedelta(seconds=seconds))

    at(-30, Dispatch.State.RETRYING)
    at(-90, Dispatch.State.SENDING)
    at(-60, Dispatch.State.DUE)
    at(60, Dispatch.State.DUE)
    at(-900, Dispatch.State.DONE)
    answer = client.get("/readyz")
    assert answer.json()["oldest_due_seconds"] == 90
    # the age is reported, but is no reason: the desk stays ready while a partner is down
    assert answer.status_code == 200


@pytest.mark.parametrize("page", ["/livez", "/readyz", "/metrics"])
def test_only_reading(client, page):
    assert client.post(page).status_code == 405


@pytest.mark.django_db
def test_a_balancer_asks_for_database_and_migrations_only(client, monkeypatch):
    answer = client.get("/readyz")  # no worker has ever run
    assert (answer.status_code, answer.json()["heartbeat_age_seconds"]) == (503, None)
    answer = client.get("/readyz?for=intake")
    assert (answer.status_code, answer.json()["reasons"]) == (200, [])
    monkeypatch.setattr("project.observability.readiness.missing_migrations", lambda: ["orders.0009_next"])
    assert client.get("/readyz?for=intake").status_code == 503


@pytest.mark.django_db
def test_the_log_says_once_that_it_is_away_and_once_that_it_is_back(client, beat, monkeypatch, caplog):
    refuse = Mock(side_effect=OperationalError("connection\nrefused"))
    beat()
    client.get("/readyz")  # resets the note of an outage, which another test may have left
    caplog.clear()
    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", refuse)
        assert [client.get("/readyz").status_code for _ in range(3)] == [503, 503, 503]
    assert [client.get("/readyz").status_code for _ in range(2)] == [200, 200]
    said = [record.message for record in caplog.records if record.name == "project.observability.health_pages"]
    assert said == [
        "the database does not answer /readyz: connection refused",
        "the database answers /readyz again after 0 s",
    ]
