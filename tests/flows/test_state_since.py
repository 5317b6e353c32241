"""Since when orders are in their state is noted of those that got it before the desk noted it."""

import datetime

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations import tasks
from orders.models import Order
from orders.services import state_since
from orders.services.state_since import fill_state_since
from tests import factories as make

HOUR = datetime.timedelta(hours=1)


def fill(seconds=60, **more):
    return fill_state_since(now=timezone.now(), seconds=seconds, **more)


@pytest.mark.django_db
def test_the_sweep_notes_it_from_the_last_move_or_when_the_order_came():
    now = timezone.now()
    make.OrderFactory(number="noted", state_since=now - 3 * HOUR, received_at=now - 90 * HOUR)
    told = make.OrderFactory(number="told", received_at=now - 90 * HOUR)
    for hours in (20, 5):
        make.OrderEventFactory(order=told, kind="state", at=now - hours * HOUR)
    make.OrderEventFactory(order=told, kind="note", at=now - HOUR)
    make.OrderFactory(number="never moved", received_at=now - 7 * HOUR)
    tasks.sweep()
    assert dict(Order.objects.values_list("number", "state_since")) == {
        "noted": now - 3 * HOUR,
        "told": now - 5 * HOUR,
        "never moved": now - 7 * HOUR,
    }
    assert fill() == 0


@pytest.mark.django_db
def test_it_is_done_in_small_batches_and_ends_when_it_must(monkeypatch):
    monkeypatch.setattr(state_since, "BATCH", 2)
    make.OrderFactory.create_batch(5)
    assert fill(may_go_on=iter([True, False]).__next__) == 2
    newest = Order.objects.order_by("-pk").values_list("state_since", flat=True)
    assert [since is not None for since in newest] == [True, True, False, False, False]
    assert fill(seconds=0) == 0
    assert fill() == 3


@pytest.mark.django_db
def test_they_are_found_by_the_index():
    make.OrderFactory()
    with CaptureQueriesContext(connection) as captured:
        state_since._fill_some()
    [select, _update] = [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {'' if connection.vendor == 'postgresql' else 'QUERY PLAN '}{select}")
        plan = "\n".join(str(row) for row in cursor.fetchall())
    assert "order_state_since" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.django_db(transaction=True)
def test_what_somebody_works_on_is_not_waited_for():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no locks of rows")
    first, second = make.OrderFactory.create_batch(2)
    facts = connection.get_connection_params()
    names = {name: facts[name] for name in ("dbname", "user", "password", "host", "port") if facts.get(name)}
    with psycopg.connect(**names) as other:
        other.execute("SELECT 1 FROM orders_order WHERE id = %s FOR NO KEY UPDATE", [second.pk])
        assert fill() == 1
    assert fill() == 1
    assert not Order.objects.filter(state_since=None).exists()


@pytest.mark.django_db
def test_an_error_does_not_stop_deliveries(monkeypatch, caplog):
    monkeypatch.setattr(tasks, "fill_state_since", lambda **_: 1 / 0)
    assert tasks.sweep() == "0 tried, 0 done"
    assert "it can't be noted" in caplog.text
