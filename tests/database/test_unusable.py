"""A database that answers but takes no writes: full, read only, locked. BBOSS is asked to send again."""

import contextlib
import json
import sqlite3
import time

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from integrations.models import LeaseLock
from orders.models import InboundMessage, Order
from project.observability import readiness
from tests.bboss_messages import accepted, post_order
from tests.processes.orders import trial

pytestmark = pytest.mark.django_db(transaction=True)
SQLITE = "sqlite"
POSTGRESQL = "postgresql"


def run(statement: str):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone() if cursor.description else None


@contextlib.contextmanager
def full():
    run("VACUUM")  # an earlier test may have left free pages
    (pages,) = run("PRAGMA page_count")
    run(f"PRAGMA max_page_count = {pages}")
    yield
    run("PRAGMA max_page_count = 1073741823")


@contextlib.contextmanager
def query_only():
    run("PRAGMA query_only = on")
    yield
    run("PRAGMA query_only = off")


@contextlib.contextmanager
def locked():
    with contextlib.closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextlib.contextmanager
def read_only():
    run("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    yield
    run("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")


@pytest.mark.parametrize(
    "vendor, trouble", [(SQLITE, full), (SQLITE, query_only), (SQLITE, locked), (POSTGRESQL, read_only)]
)
def test_nothing_is_stored_and_nothing_is_lost(client, vendor, trouble, caplog):
    if connection.vendor != vendor:
        pytest.skip(f"a trouble of {vendor}")
    content = trial(1, ProvContent=[{"ProvReq": f"d{number}.example.com"} for number in range(2000)])
    with trouble():
        began = time.monotonic()
        reply = post_order(client, content)
        assert time.monotonic() - began < 10
    assert reply["response"]["rspCode"] == "20000"
    assert not Order.objects.exists()
    assert not InboundMessage.objects.exists()
    assert accepted(post_order(client, content))


@contextlib.contextmanager
def full_tablespace():
    """What PostgreSQL says of a disk without room, at the row of the try."""
    run(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
        "'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
    )
    run("CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON integrations_leaselock EXECUTE FUNCTION no_room()")
    yield
    run("DROP FUNCTION no_room CASCADE")


@contextlib.contextmanager
def locked_table():
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None, "context": None}) as other:
        other.execute("LOCK TABLE orders_acceptedcall")
        yield


@contextlib.contextmanager
def missing_right(right: str):
    run("CREATE ROLE desk_without_right")
    run("GRANT ALL ON ALL TABLES IN SCHEMA public TO desk_without_right")
    run(f"REVOKE {right} FROM desk_without_right")
    run("SET ROLE desk_without_right")
    try:
        yield
    finally:
        run("RESET ROLE")
        run("DROP OWNED BY desk_without_right")
        run("DROP ROLE desk_without_right")


STOPS = {
    "locked": (SQLITE, locked, "locked"),
    "full tablespace": (POSTGRESQL, full_tablespace, "No space left on device"),
    "LOCK TABLE": (POSTGRESQL, locked_table, "lock timeout"),
    "no INSERT": (POSTGRESQL, lambda: missing_right("INSERT ON orders_acceptedcall"), "permission denied"),
    "no UPDATE": (POSTGRESQL, lambda: missing_right("UPDATE ON orders_order"), "permission denied"),
}


@pytest.mark.parametrize("stop", STOPS)
def test_what_keeps_orders_out_is_told(client, monkeypatch, capsys, stop):
    """`/readyz` asks in time, and `status` says the same."""
    vendor, trouble, why = STOPS[stop]
    if connection.vendor != vendor:
        pytest.skip(f"a trouble of {vendor}")
    monkeypatch.setattr(readiness.write_try, "failed_at", float("-inf"))
    with trouble():
        began = time.monotonic()
        answer = client.get("/readyz?for=intake")
        assert time.monotonic() - began < 5
        assert answer.status_code == 503
        (reason,) = answer.json()["reasons"]
        assert reason.startswith("no order can be stored: ")
        assert why in reason
        with pytest.raises(CommandError):
            call_command("status", "--json")
        assert json.loads(capsys.readouterr().out)["reasons"][0] == reason
    monkeypatch.setattr(readiness.write_try, "failed_at", float("-inf"))
    assert client.get("/readyz?for=intake").status_code == 200


def test_writing_is_tried_every_5_seconds_by_all_processes_together(client, clock):
    """A clock that was put back does not stop it."""
    tried = []
    for seconds in (0, 4, 1.1, -3600):
        clock.shift(seconds)
        assert client.get("/readyz?for=intake").status_code == 200
        tried.append(LeaseLock.objects.get(name="write try").until)
    assert tried[0] == tried[1] < tried[2] > tried[3]
