"""A database answers but accepts no writes: it is full, read only or locked. BBOSS is asked to send again."""

import contextlib
import json
import re
import sqlite3
import time
from unittest.mock import Mock

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from integrations.base import orders_not_stored
from notifications.models import Mail
from orders.intake.rehearsal import rehearse
from orders.models import BillingRecord, Dispatch, InboundMessage, Order
from orders.restore.mark_file import mark_writer
from project.observability import readiness
from project.observability.alarm_reasons import alarm_reasons
from project.observability.status_report import desk_status
from tests.bboss_messages import accepted, post_order
from tests.processes.orders import trial

pytestmark = pytest.mark.django_db(transaction=True)
PSQL = {"cursor_factory": None, "context": None, "application_name": "psql"}
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
def raises(table: str, said: str, code: str, when: str = "true"):
    """Creates a trigger that raises an error for some rows of a table, as PostgreSQL does if its disk has no room."""
    run(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {when} THEN RAISE EXCEPTION '{said}' USING ERRCODE = '{code}'; END IF; RETURN NEW; END $$"
    )
    run(f"CREATE TRIGGER stop_rows BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION no_room()")
    try:
        yield
    finally:
        run("DROP FUNCTION no_room CASCADE")


@contextlib.contextmanager
def sqlite_trigger():
    run("CREATE TRIGGER stop_rows BEFORE INSERT ON orders_dispatch BEGIN SELECT RAISE(ABORT, 'not today'); END")
    try:
        yield
    finally:
        run("DROP TRIGGER stop_rows")


@contextlib.contextmanager
def constraint(condition: str, table: str = "orders_order"):
    """Creates a constraint for new rows. With NOT VALID, the existing rows are not checked."""
    run(f"ALTER TABLE {table} ADD CONSTRAINT none_of_these CHECK ({condition}) NOT VALID")
    try:
        yield
    finally:
        run(f"ALTER TABLE {table} DROP CONSTRAINT none_of_these")


@contextlib.contextmanager
def sequence_at_its_end(table: str):
    (name,) = run(f"SELECT pg_get_serial_sequence('{table}', 'id')::regclass::text")
    (last, most) = run(
        f"SELECT last_value, (SELECT max_value FROM pg_sequences WHERE sequencename = '{name}') FROM {name}"
    )
    run(f"SELECT setval('{name}', {most})")
    try:
        yield
    finally:
        run(f"SELECT setval('{name}', {last})")


@contextlib.contextmanager
def sqlite_sequence_at_its_end():
    run("DELETE FROM sqlite_sequence WHERE name = 'orders_dispatch'")
    run("INSERT INTO sqlite_sequence (name, seq) VALUES ('orders_dispatch', 9223372036854775807)")
    try:
        yield
    finally:
        run("DELETE FROM sqlite_sequence WHERE name = 'orders_dispatch'")


@contextlib.contextmanager
def checked_at_the_commit():
    run(
        "CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$;"
        "CREATE CONSTRAINT TRIGGER at_the_end AFTER INSERT ON orders_trialclaim DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION never()"
    )
    try:
        yield
    finally:
        run("DROP FUNCTION never CASCADE")


@contextlib.contextmanager
def locked_table():
    with psycopg.connect(**connection.get_connection_params() | PSQL) as other:
        other.execute("LOCK TABLE orders_acceptedcall")
        yield


@contextlib.contextmanager
def locked_in_share_mode():
    """Locks the orders' table as CREATE INDEX does. Reading is still possible."""
    with psycopg.connect(**connection.get_connection_params() | PSQL) as other:
        other.execute("LOCK TABLE orders_order IN SHARE MODE")
        yield


@contextlib.contextmanager
def missing_right(right: str):
    run("CREATE ROLE desk_without_right")
    run("GRANT ALL ON ALL TABLES IN SCHEMA public TO desk_without_right")
    run("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO desk_without_right")
    run(f"REVOKE {right} FROM desk_without_right")
    run("SET ROLE desk_without_right")
    try:
        yield
    finally:
        run("RESET ROLE")
        run("DROP OWNED BY desk_without_right")
        run("DROP ROLE desk_without_right")


def holds(mode: str, table: str) -> str:
    held = rf"holds {mode} on {table} since [-0-9]+ [:0-9]+, its last statement is LOCK"
    return rf"a lock: pid \d+ \(user \w+, psql\) {held}"


CHANGE, SUBSEQUENT = "NEW.kind = 'change'", "NEW.kind = 'activation' AND NOT NEW.first"
STOPS = {
    "locked": (SQLITE, locked, "a lock: another process writes .database is locked"),
    "a trigger of SQLite": (SQLITE, sqlite_trigger, "the trigger stop_rows of orders_dispatch refuses it .not today"),
    "a sequence of SQLite": (SQLITE, sqlite_sequence_at_its_end, "the sequence of orders_dispatch is at its end"),
    "full tablespace": (
        POSTGRESQL,
        lambda: raises("orders_inboundmessage", "could not extend file: No space left on device", "53100"),
        "no room on the database's disk .could not extend file: No space left on device",
    ),
    "LOCK TABLE": (POSTGRESQL, locked_table, holds("AccessExclusiveLock", "orders_acceptedcall")),
    "SHARE": (POSTGRESQL, locked_in_share_mode, holds("ShareLock", "orders_order")),
    "no INSERT": (
        POSTGRESQL,
        lambda: missing_right("INSERT ON orders_acceptedcall"),
        "a right is missing .*acceptedcall",
    ),
    "no UPDATE": (POSTGRESQL, lambda: missing_right("UPDATE ON orders_order"), "a right is missing .*orders_order"),
    **{
        f"sequence of {table}": (
            POSTGRESQL,
            lambda table=table: sequence_at_its_end(table),
            f"the sequence {table}_id_seq is at its end",
        )
        for table in (
            *("orders_order", "orders_orderevent", "orders_billingrecord", "orders_dispatch", "orders_inboundmessage"),
            *("orders_acceptedcall", "orders_trialclaim", "orders_orderdomain", "django_q_ormq", "django_q_schedule"),
            *("notifications_mail", "orders_affectedorder"),
        )
    },
    "trigger": (
        POSTGRESQL,
        lambda: raises("orders_dispatch", "not today", "P0001"),
        "the trigger stop_rows of orders_dispatch refuses it .not today",
    ),
    "changes alone": (POSTGRESQL, lambda: raises("orders_order", "no", "P0001", CHANGE), "the trigger stop_rows"),
    "subsequent ones": (POSTGRESQL, lambda: raises("orders_order", "no", "P0001", SUBSEQUENT), "the trigger stop_rows"),
    "a CHECK": (
        POSTGRESQL,
        lambda: constraint("kind <> 'change'"),
        "the constraint none_of_these of orders_order refuses it",
    ),
    "checked at the commit": (
        POSTGRESQL,
        checked_at_the_commit,
        "the trigger at_the_end of orders_trialclaim refuses it .never",
    ),
}


@pytest.mark.parametrize("stop", STOPS)
def test_what_keeps_orders_out_is_told(client, monkeypatch, capsys, stop):
    """`/readyz` tries in time to store an order, and names the reason for a failure.

    `status` names the same reason.
    """
    vendor, trouble, why = STOPS[stop]
    if connection.vendor != vendor:
        pytest.skip(f"a trouble of {vendor}")
    with trouble():
        began = time.monotonic()
        answer = client.get("/readyz?for=intake")
        assert time.monotonic() - began < 5
        assert answer.status_code == 503
        (reason,) = answer.json()["reasons"]
        assert re.match(f"no order can be stored: {why}", reason)
        monkeypatch.setattr(readiness.write_try, "tried_at", float("-inf"))  # like another process
        with pytest.raises(CommandError):
            call_command("status", "--json")
        assert json.loads(capsys.readouterr().out)["reasons"][0] == reason
    monkeypatch.setattr(readiness.write_try, "tried_at", float("-inf"))
    assert client.get("/readyz?for=intake").status_code == 200


def test_a_lock_that_stops_the_look_itself_is_named(client, capsys):
    """`status` names a lock that stops `status` itself. The lock is on a table that no order writes."""
    if connection.vendor != POSTGRESQL:
        pytest.skip("SQLite locks no table")
    with psycopg.connect(**connection.get_connection_params() | PSQL) as other:
        other.execute("LOCK TABLE integrations_breaker")
        with pytest.raises(CommandError):
            call_command("status", "--json")
    (reason,) = json.loads(capsys.readouterr().out)["reasons"]
    assert re.match(holds("AccessExclusiveLock", "integrations_breaker"), reason)


def test_status_counts_the_answers_20000_of_ten_minutes(client, clock, monkeypatch, capsys):
    """`status` counts the answers 20000 of the last ten minutes, even after storing is possible again."""

    def said() -> tuple[dict | None, list[str]]:
        with contextlib.suppress(CommandError):
            call_command("status", "--json")
        found = json.loads(capsys.readouterr().out)
        return found["not_stored"], [reason for reason in found["reasons"] if "20000" in reason]

    assert said() == (None, [])
    with monkeypatch.context() as patch:
        patch.setattr("integrations.bboss.views.receive_order", Mock(side_effect=ZeroDivisionError))
        for number in range(7):
            assert post_order(client, trial(number))["response"]["rspCode"] == "20000"
    clock.shift(60)
    assert accepted(post_order(client, trial(1)))
    row, [reason] = said()
    assert (row["number"], row["minutes"]) == (7, 10)
    assert 50 <= row["seconds_ago"] <= 60
    assert reason.startswith("7 calls of BBOSS got 20000 within 10 minutes, the last one 5")
    alarms = [one.alarm for one in alarm_reasons(desk_status(timezone.now())) if "20000" in one.text]
    assert alarms == ["OrdersNotStored"]
    clock.shift(120)
    assert [one.alarm for one in alarm_reasons(desk_status(timezone.now())) if "20000" in one.text] == [""]
    clock.shift(430)
    assert said() == (None, [])
    orders_not_stored.count_order_not_stored()
    assert len(list(orders_not_stored.FOLDER.iterdir())) == 1


def all_rows() -> dict[str, int]:
    return {table: run(f'SELECT COUNT(*) FROM "{table}"')[0] for table in connection.introspection.table_names()}


def test_nothing_is_left_of_a_try(client, settings):
    before = all_rows()
    mark_writer.flush()
    files = {path: path.read_bytes() for path in settings.STATE_DIR.rglob("*.newest-event")}
    assert client.get("/readyz?for=intake").status_code == 200
    mark_writer.flush()
    assert all_rows() == before
    assert {path: path.read_bytes() for path in settings.STATE_DIR.rglob("*.newest-event")} == files


def test_each_kind_is_written_as_intake_writes_it(monkeypatch):
    written = []

    def look(flag):
        kinds = Order.objects.order_by("pk").values_list("kind", "first", "state")
        written.extend([list(kinds), Dispatch.objects.count(), BillingRecord.objects.count(), Mail.objects.count()])
        written.append(sorted(OrmQ.objects.values_list("key", flat=True)))
        set_rollback(flag)

    set_rollback = transaction.set_rollback
    monkeypatch.setattr("orders.intake.rehearsal.transaction.set_rollback", look)
    rehearse(now=timezone.now(), lock_timeout="1s")
    kinds, steps, records, mails, wakes = written
    assert kinds == [
        *[("trial", None, "in_progress"), ("change", None, "in_progress"), ("activation", True, "in_progress")],
        *[("activation", False, "in_progress"), ("activation", None, "held")],
    ]
    assert (steps, records, mails) == (9, 4, 1)
    assert len(wakes) == 5
    assert not Order.objects.exists()


def test_storing_is_tried_at_most_once_in_5_seconds_by_a_process(client, monkeypatch):
    tried, at = [], [1000.0]
    monkeypatch.setattr("project.observability.readiness.rehearse", lambda **how: tried.append(at[0]))
    monkeypatch.setattr("project.observability.readiness.time.monotonic", lambda: at[0])
    for moment in (1000.0, 1004.9, 1005.0, 1006.0):
        at[0] = moment
        assert client.get("/readyz?for=intake").status_code == 200
    assert tried == [1000.0, 1005.0]
