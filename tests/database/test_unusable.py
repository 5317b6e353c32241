"""A database that answers but takes no writes: full, read only, locked. BBOSS is asked to send again."""

import contextlib
import sqlite3
import time

import pytest
from django.db import connection

from orders.models import InboundMessage, Order
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
