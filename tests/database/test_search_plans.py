"""Each query of the search, of a customer's page and of the read API finds its rows by an index, on both databases.

Searches for any part of a text are an exception, because only PostgreSQL has an index for them.
"""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders.customer_page.tabs import TABS
from orders.search.index import index_orders
from orders.search.list_search import customer_address
from tests import factories as make

pytestmark = pytest.mark.django_db
GROWING = {
    "orders_order",
    "orders_orderdomain",
    "orders_customer",
    "orders_ordertext",
    "orders_domaintext",
    "orders_billingrecord",
    "orders_inboundmessage",
    "orders_acceptedcall",
    "orders_affectedorder",
    "orders_orderevent",
    "orders_difference",
    "orders_dispatch",
    "orders_customer_attributions",
    "orders_customernote",
}
TEXTS = {"orders_ordertext", "orders_domaintext", "orders_customer"}
ANY_PART = re.compile(r'"(number|text|texts)" LIKE \'%')
ALIAS = re.compile(r"[T-W]\d+")  # a table's alias in a subquery, as SQLite's plan shows it
TERMS = [
    "100A230920170126001",
    "126001",
    "云帆",
    "example.com",
    "www",
    "http://www.example.com/a",
    "675cf2df623c47e69e523c0fd2b6f7b9",
    "13712345678",
]


def scanned(statement: str) -> set[str]:
    """Returns the growing tables that the plan of the statement reads from one end to the other."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # a few rows are read faster without an index
            cursor.execute(f"EXPLAIN {statement}")
            found = re.findall(r"Seq Scan on (\w+)", "\n".join(row[0] for row in cursor.fetchall()))
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
            plan = [row[3] for row in cursor.fetchall()]
            found = [match[1] for line in plan if (match := re.match(r"SCAN (\w+)", line))]
            if ANY_PART.search(statement):
                found = [name for name in found if name not in TEXTS]
    return {name for name in found if name in GROWING or ALIAS.fullmatch(name)}


@pytest.fixture
def order():
    order = make.OrderFactory(
        number=TERMS[0],
        enterprise_id="E-55",
        enterprise_name="北京云帆网络科技",
        oper_tel=TERMS[-1],
        attribution_id="BJ",
    )
    make.OrderDomainFactory(order=order, name="www.example.com")
    make.BillingRecordFactory(order=order, state="live")
    index_orders(now=timezone.now(), seconds=60)
    return order


def asked(client, url: str, **headers: str) -> list[str]:
    """Returns the SELECT queries of a page."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url, headers=headers).status_code in (200, 302)
    return [query["sql"] for query in captured if query["sql"].startswith("SELECT")]


@pytest.mark.parametrize("letters", [None, ["BJ"]])
def test_no_query_reads_a_growing_table(client, order, letters):
    client.force_login(make.UserFactory(letters=letters, is_superuser=True))
    urls = [f"/admin/find/?part=&q={term}" for term in TERMS]
    urls += [f"{customer_address('E-55')}?tab={tab.key}" for tab in TABS]
    queries = {sql for url in urls for sql in asked(client, url)}
    assert len(queries) > 40
    assert {sql: found for sql in queries if (found := scanned(sql))} == {}


READ = [
    "cursor=999999999",
    "state=active",
    "attribution=BJ&kind=activation",
    "received=30d",
    "stuck=bpm",
    "start=overdue",
    "customer=E-55",
    "state=active&cursor=999999999",
]

PAGES = ["", "?cursor=1-1"]


@pytest.mark.parametrize("letters", [None, ["BJ"]])
def test_no_query_of_the_read_api_reads_a_growing_table(client, order, letters):
    token = f"Bearer {make.ApiTokenFactory(letters=letters, personal=True).begins}"
    urls = [f"/api/orders/?{query}" for query in READ]
    urls += [f"/api/orders/{order.number}/?personal=1", *(f"/api/customers/E-55/billing/{page}" for page in PAGES)]
    queries = {sql for url in urls for sql in asked(client, url, Authorization=token)}
    assert len(queries) > 20
    assert {sql: found for sql in queries if (found := scanned(sql))} == {}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite plans each statement for its values")
def test_no_plan_is_kept_for_a_search(client, order):
    """PostgreSQL keeps no plan for the queries of a search.

    A plan for any value can't use an index for the beginning of a text. PostgreSQL would use such a plan for a
    repeated statement.
    """
    client.force_login(make.UserFactory(is_superuser=True))
    for _ in range(12):
        for term in TERMS:
            client.get(f"/admin/orders/order/?q={term}")
            client.get(f"/admin/find/?part=&q={term}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        kept = [row[0] for row in cursor.fetchall()]
    assert len(kept) > 5
    assert [statement for statement in kept if "LIKE" in statement] == []


def test_one_without_an_index_is_noticed(order):
    assert scanned("SELECT id FROM orders_order WHERE oper_user = 'x'") == {"orders_order"}
