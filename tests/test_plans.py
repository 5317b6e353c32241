"""No frequent statement reads a whole table. The test asks PostgreSQL's planner, with 100,000 orders and everything
that belongs to them.
"""

import functools
import importlib
import pkgutil

import pytest
from django.db import connection
from django.utils import timezone

import integrations
import orders
from orders.db.compiled_sql import Prepared, Slot
from orders.models import (
    AcceptedCall,
    Attempt,
    BillingRecord,
    Dispatch,
    InboundMessage,
    Order,
    OrderDomain,
    OrderEvent,
    TrialClaim,
    TrialEnd,
    TrialShape,
)
from orders.rules.steps import Partner
from orders.sending.claim import _longest_due
from tests import factories

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's planner is another one"),
]
COUNT = 100_000
FIRST = 1_000_000  # the id of the first of the copied orders; the rows that belong to an order have the same id
BIG = [
    Order,
    OrderDomain,
    TrialClaim,
    TrialEnd,
    TrialShape,
    BillingRecord,
    Dispatch,
    Attempt,
    OrderEvent,
    InboundMessage,
    AcceptedCall,
]
TEXTS = dict.fromkeys(["number", "trial_number", "code", "letters"], f"N{FIRST}")
VALUES = TEXTS | {
    "now": timezone.now(),
    "since": timezone.now(),
    "until": timezone.now(),
    "partners": ["bpm"],
    "channels": ["bpm"],
    "queues": ["wake-up"],
    "own": "c",
}


@pytest.fixture
def many(db):
    """Makes 100,000 finished activations, each with a row in every table that grows with orders."""
    order = factories.OrderFactory(state="active")
    _multiply(order, number="'N' || n")
    _multiply(factories.OrderDomainFactory(order=order), order_id="n", name="'d' || n", key="'d' || n")
    _multiply(factories.TrialClaimFactory(activation=order), trial_id="n", activation_id="n")
    _multiply(factories.TrialEndFactory(trial=order), trial_id="n")
    _multiply(factories.TrialShapeFactory(trial=order), trial_id="n")
    _multiply(factories.BillingRecordFactory(order=order, state="live"), order_id="n", domain_key="'d' || n")
    step = factories.DispatchFactory(order=order, state="done", frozen_at=factories.NOW)
    _multiply(step, order_id="n", key="gen_random_uuid()", lane="n", records="jsonb_build_array(n)")
    _multiply(factories.AttemptFactory(dispatch=step), dispatch_id="n", request_id="gen_random_uuid()")
    _multiply(factories.OrderEventFactory(order=order), order_id="n")
    _multiply(factories.InboundMessageFactory(), order_number="'N' || n", trans_ido="'t' || n")
    _multiply(factories.AcceptedCallFactory(order=order), order_id="n", trans_ido="'t' || n")
    with connection.cursor() as cursor:
        for model in BIG:
            cursor.execute(f"ANALYZE {model._meta.db_table}")
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")


def _multiply(row, **columns):
    """Copies a row COUNT times. `columns` are SQL expressions that may use the number n. The id is n too."""
    columns |= {"id": "n"} if row._meta.pk.column == "id" else {}
    names = [field.column for field in row._meta.concrete_fields]
    values = ", ".join(columns.get(name, f'"{name}"') for name in names)
    table, key, names = row._meta.db_table, row._meta.pk.column, ", ".join(f'"{name}"' for name in names)
    many = f"generate_series({FIRST}, {FIRST + COUNT - 1}) AS n"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table}, {many} WHERE {key} = %s", [row.pk])


@functools.cache
def prepared_queries():
    """Returns {name: query} for every query that is compiled only once, and for the query that claims due steps."""
    found = {f"claim for {partner}": _longest_due(partner, 8, False, False) for partner in Partner.values}
    for package in (orders, integrations):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations." not in info.name and ".management." not in info.name:
                module = importlib.import_module(info.name)
                named = {f"{info.name}.{name}": value for name, value in vars(module).items()}
                found |= {name: value for name, value in named.items() if type(value) is Prepared}
    return found


def explained(query):
    """Returns the tables that the query's plan reads from beginning to end."""
    sql, places, *_ = query._compiled
    values = [_value(place) for place in places]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", values)
        return set(_scanned(cursor.fetchone()[0][0]["Plan"]))


def _value(place):
    if not isinstance(place, Slot):
        return place
    usual = [FIRST, FIRST + 1] if place.is_list else FIRST
    return place.fill({place.value: VALUES.get(place.value, usual)}, connection)


def _scanned(plan):
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from _scanned(part)


def test_no_prepared_query_scans_a_table_that_grows(many):
    big = {model._meta.db_table for model in BIG}
    queries = prepared_queries()
    assert len(queries) > 25
    assert {name: found for name, query in queries.items() if (found := explained(query) & big)} == {}
    assert explained(Prepared(lambda: Order.objects.filter(oper_user="x"))) == {"orders_order"}
