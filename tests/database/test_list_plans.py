"""Ranges of days, new sort orders and ready-made views of lists find their rows by an index, on both databases."""

import datetime
import itertools
import re

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from orders.history.owners import absent_on
from orders.limits.late_orders import time_limits
from orders.lists import page_fingerprint
from orders.lists.registration import admin_of
from orders.office.digest.contents import digest_facts, red_facts
from orders.office.saved_views.ready_views import READY
from tests import factories as make
from tests.admin.rows import of_order

pytestmark = pytest.mark.django_db
ORDERS = "/admin/orders/order/"
BIG = {
    "orders_order",
    "orders_billingrecord",
    "orders_attempt",
    "orders_difference",
    "orders_inboundmessage",
    "orders_customer",
    "orders_dispatch",
    "orders_orderevent",
    "notifications_mail",
    "approvals_approvalrecord",
    "orders_export",
    "orders_trailentry",
    "django_admin_log",
}
SMALL = {"dispatch_stuck", "order_undo_asked", "one_open_trouble_per_incident_and_order"}  # they have few rows
COUNTED_BY_HEAD = re.compile(r' UNION |"orders_message"')
ENDS_SOON = re.compile(r'FROM "(\w+)" ORDER BY "\1"\."id" DESC LIMIT \d+$|LIMIT 2000$')
RANGE = "2026-11-01..2026-11-25"
TIMES = {
    "orders": ["received", "start", "end", "ends"],
    "billing": ["created"],
    "approvals": ["time"],
    "differences": ["found"],
    "attempts": ["started"],
    "mails": ["written"],
    "inbound": ["received"],
    "customers": ["newest"],
}


def read_whole(statement, values=()):
    """Returns the big tables that the plan reads from one end to the other.

    The table of the list itself may be read in the order of an index. The tables of subqueries, which have an alias,
    may not.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")  # a few rows are sorted faster than read in an index's order
            cursor.execute(f"EXPLAIN {statement}", values)
            found = re.findall(r"Seq Scan on (\w+)", "\n".join(row[0] for row in cursor.fetchall()))
        else:
            statement = with_own_aliases(statement)
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            scans = [re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", row[3]) for row in cursor.fetchall()]
            tables = {alias: table for table, alias in re.findall(r'"(\w+)" ([U-Z]\d+_\d+)', statement)}
            found = [
                tables.get(scan[1], scan[1])
                for scan in scans
                if scan and (not scan[2] or scan[1] in tables and scan[2] not in SMALL)
            ]
    return set(found) & BIG


def with_own_aliases(statement):
    """Returns the statement with a different alias for each table.

    SQLite's plan names aliases, and subqueries would otherwise share them.
    """
    numbers, statement = itertools.count(), f"({statement})"
    while part := re.search(r"\(([^()]*)\)", statement):
        text = part[1]
        for alias in set(re.findall(r'"\w+" ([U-Z]\d+)\b', text)):
            text = re.sub(rf"\b{alias}\b", f"{alias}_{next(numbers)}", text)
        statement = f"{statement[: part.start()]}\1{text}\2{statement[part.end() :]}"
    return statement[1:-1].translate({1: "(", 2: ")"})


def sorts(statement, values=()):
    """Returns True if the plan itself sorts the rows."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute(f"EXPLAIN {statement}", values)
            return "Sort Key" in "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        return any("TEMP B-TREE FOR ORDER BY" in row[3] for row in cursor.fetchall())


def plan(statement, values):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {'' if connection.vendor == 'postgresql' else 'QUERY PLAN '}{statement}", values)
        return "\n".join(str(row) for row in cursor.fetchall())


def queries_of(client, url):
    """Returns the queries of a page, each with its values."""

    def page():
        assert client.get(url).status_code == 200

    return queries_while(page)


def queries_while(act):
    found = []

    def note(execute, sql, values, many, context):
        found.append((sql, tuple(values or ())))
        return execute(sql, values, many, context)

    with connection.execute_wrapper(note):
        act()
    return found


def asked(client, url, *, counts=False):
    """Returns the SELECT queries of a page with their values, without queries that read a table's newest rows.

    Those end soon. With `counts`, returns only the query that counts the rows of the list, and not those that count
    for the page's head. Values stay separate, because SQLite knows fewer plans for a statement with placeholders than
    for one with the values in it.
    """
    found = [(sql, values) for sql, values in queries_of(client, url) if sql.startswith("SELECT")]
    return [
        (sql, values)
        for sql, values in found
        if not ENDS_SOON.search(sql)
        and (not counts or sql.startswith("SELECT COUNT") and not COUNTED_BY_HEAD.search(sql))
    ]


def not_found_by_an_index(queries):
    assert queries
    return {sql: found for sql, values in queries if (found := read_whole(sql, values))}


@pytest.fixture(autouse=True)
def counted_anew(monkeypatch):
    """Empties the cache for the number of orders that need somebody.

    Otherwise a process keeps this number for a while.
    """
    monkeypatch.setattr(page_fingerprint, "_counted", {})


@pytest.fixture(autouse=True)
def rows():
    now = timezone.now()
    order = make.OrderFactory(attribution_id="BJ", state_since=now, biz_end=datetime.date(2026, 11, 25))
    of_order(order)
    make.DispatchFactory(order=order, state="retrying", next_try_at=now, attempts=2, frozen_at=now)


@pytest.mark.parametrize("name, days", list(itertools.product(TIMES, [RANGE, "2026-11-01..", "..2026-11-25"])))
def test_ranges_of_days(admin_client, name, days):
    """Ranges of days are found by an index. An open range may be read from the newest row on.

    The first fifty rows of an open range are found soon.
    """
    opts = admin_of(name).opts
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    for parameter in TIMES[name]:
        queries = asked(admin_client, f"{url}?{parameter}={days}", counts=days != RANGE)
        assert not_found_by_an_index(queries) == {}


@pytest.mark.parametrize(
    "name, parameter, index",
    [
        ("orders", "received", "order_received"),
        ("attempts", "started", "attempt_started"),
        ("inbound", "received", "inbound_received"),
        ("mails", "written", "mail_written"),
        ("differences", "found", "difference_found"),
        ("billing", "created", "billing_created"),
    ],
)
def test_old_days_are_read_in_the_order_of_their_index(admin_client, name, parameter, index):
    """Old days are read in the order of the index on their time.

    By id, PostgreSQL would read from the newest row down to the old ones.
    """
    opts = admin_of(name).opts
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    rows = admin_client.get(f"{url}?{parameter}=2021-01-01..2021-01-31").context["cl"].queryset
    assert rows.query.order_by[-1] == "-pk"
    assert index in plan(*rows[:50].query.sql_with_params())


def test_the_reader_s_order_comes_before_that_of_the_days(admin_client):
    def order(query):
        return admin_client.get(f"{ORDERS}?{query}").context["cl"].queryset.query.order_by

    assert order("received=7d") == ("-received_at", "-pk")
    assert order("received=7d&o=-number") == ("-number",)
    assert order("received=7d&start=today&o=start_day") == ("biz_start", "pk")
    assert set(order("start=today")) == set(order("")) == {"-pk"}


@pytest.mark.parametrize("view", READY["orders"], ids=lambda view: view.key)
def test_ready_views(admin_client, view):
    queries = asked(admin_client, f"{ORDERS}?{view.query}")
    assert not_found_by_an_index(queries) == {}


@pytest.mark.parametrize("query", ["overtime=yes", "overtime=very", "overtime=yes&attribution__letters__exact=BJ"])
def test_what_is_late_is_found_by_its_index(admin_client, query):
    """Late orders are found by their index. However many orders are late, nothing else is read."""
    assert not_found_by_an_index(asked(admin_client, f"{ORDERS}?{query}")) == {}


@pytest.mark.parametrize("letters", [None, ["BJ"]], ids=["all", "limited"])
def test_a_persons_mails_about_what_is_late_read_no_table(letters):
    """The queries for a person's mails about late orders read no whole table.

    Each part is counted by an index, and the query for the orders that it names is limited to a few.
    """
    user, limits, now = make.UserFactory(letters=letters), time_limits(), timezone.now()
    user.groups.set(Group.objects.filter(name="工程师"))
    since = now - datetime.timedelta(minutes=15)
    absent = absent_on(timezone.localdate(now))
    queries = queries_while(lambda: absent_on(timezone.localdate(now)))
    queries += queries_while(lambda: digest_facts(user, absent=absent, limits=limits, since=now, now=now))
    queries += queries_while(lambda: red_facts(user, absent=absent, limits=limits, since=since, until=now, now=now))
    late = [one for one in queries if '"orders_order"."number"' in one[0] and '"state_since"' in one[0]]
    assert len(late) >= 3  # my orders, nobody's orders, late orders
    assert [sql for sql, _values in late if not re.search(r"LIMIT 5$", sql)] == []
    assert not_found_by_an_index(queries) == {}


@pytest.mark.parametrize("query", ["in_state=3d", "in_state=30d&kind__exact=trial"])
def test_how_many_are_in_their_state_for_long(admin_client, query):
    [asking] = asked(admin_client, f"{ORDERS}?{query}", counts=True)
    assert read_whole(*asking) == set()


@pytest.mark.parametrize("query", ["service_type__code__exact=1", "service_type__isnull=True"])
def test_orders_of_a_service_are_counted_by_its_index(admin_client, query):
    """Orders of a service are counted by an index on orders, without a query of each order's shape.

    A change may have given a trial another service.
    """
    [(sql, values)] = asked(admin_client, f"{ORDERS}?{query}", counts=True)
    assert read_whole(sql, values) == set()
    assert "order_service" in plan(sql, values)
    assert "trialshape" not in sql


@pytest.mark.parametrize("order", ["since", "-since"])
def test_since_is_read_in_the_order_of_its_index(admin_client, order):
    queries = asked(admin_client, f"{ORDERS}?o={order}")
    [asking] = [one for one in queries if 'ORDER BY "orders_order"."state_since"' in one[0]]
    assert not sorts(*asking)


@pytest.mark.parametrize("order", ["trial_end", "-trial_end"])
def test_last_days_are_read_in_the_order_of_their_index(admin_client, order):
    queries = asked(admin_client, f"{ORDERS}?o={order}")
    [asking] = [one for one in queries if 'ORDER BY "orders_trialshape"."ends_on"' in one[0]]
    assert "orders_trialshape_ends_on" in plan(*asking)


@pytest.mark.parametrize("order", ["attempts", "-attempts", "next_try", "-next_try"])
def test_sorted_by_steps_only_orders_with_such_steps_are_read(admin_client, order):
    queries = asked(admin_client, f"{ORDERS}?o={order}&columns=number,attempts,next_try")
    assert not_found_by_an_index(queries) == {}


@pytest.mark.parametrize("query", ["needs=somebody", "needs=start", "start=overdue", "start=starting", "stuck=mail"])
def test_words(admin_client, query):
    assert not_found_by_an_index(asked(admin_client, f"{ORDERS}?{query}")) == {}


@pytest.mark.parametrize("received", [False, True])
def test_exports_of_ones_own_and_received_ones(client, received):
    user = make.UserFactory()
    user.groups.set(Group.objects.filter(name="业务人员"))
    if received:
        make.ScheduledExportFactory().recipients.add(user)
    client.force_login(user)
    queries = [one for one in asked(client, reverse("admin:orders_export_changelist")) if "orders_export" in one[0]]
    assert len(queries) >= 2
    for one in queries:
        assert read_whole(*one) == set()
        assert " OR " not in one[0]


def test_one_without_an_index_is_noticed(admin_client):
    assert read_whole("SELECT * FROM orders_order WHERE cp_id = 'x'") == {"orders_order"}
    assert read_whole('SELECT 1 FROM "orders_order" U0 WHERE U0.cp_id = %s', ["x"]) == {"orders_order"}
    one, other = (
        'SELECT 1 FROM "orders_order" U0 WHERE U0.cp_id = %s',
        'SELECT 1 FROM "orders_pause" U0 WHERE U0.id = 1',
    )
    assert read_whole(f"SELECT ({one}), ({other})", ["x"]) == {"orders_order"}
    assert sorts("SELECT * FROM orders_order ORDER BY cp_id")


def test_a_day_s_calls_are_found_by_their_index(admin_client):
    """The calls of a day are found by an index. However many calls there are, only those of the day are read."""
    found = queries_of(admin_client, reverse("admin:calls") + "?day=2021-01-01")
    [steps] = [one for one in found if "orders_attempt" in one[0]]
    [answers] = [one for one in found if "orders_inboundmessage" in one[0]]
    for asking, index in ((steps, "attempt_started"), (answers, "inbound_received")):
        assert read_whole(*asking) == set()
        assert index in plan(*asking)


@pytest.mark.parametrize("query", ["", "until=2026-11-25", "before=1764000000000000-1-5", "kind=rest", "user=admin"])
def test_the_trail_is_read_in_the_order_of_its_indexes(admin_client, query):
    """The trail is read in the order of its indexes, however old the page is.

    No row is read that is newer than the page. Of all events, only the events of people are read.
    """
    queries = asked(admin_client, f"{reverse('admin:trail')}?{query}")
    found = {
        table: [one for one in queries if f'FROM "{table}"' in one[0] and "LIMIT 101" in one[0]] for table in TRAIL
    }
    assert not_found_by_an_index(queries) == {}
    if query in ("kind=rest", "user=admin"):
        return
    for table, index in TRAIL.items():
        [asking] = found[table]
        assert index in plan(*asking)


def test_a_person_s_events_in_the_trail_are_read_in_the_order_of_their_index(admin_client):
    """The trail of a person is read in the order of an index on actors.

    This includes the actions of the person's commands. They may be the majority if engineers share an account of the
    machine.
    """
    queries = asked(admin_client, f"{reverse('admin:trail')}?user=admin")
    of_actors = [one for one in queries if '"orders_orderevent"."actor" = %s' in one[0]]
    assert [values[0] for _sql, values in of_actors] == ["staff:admin", "command:admin"]
    for asking in of_actors:
        assert "event_of_actor" in plan(*asking)


TRAIL = {
    "orders_trailentry": "orders_trailentry_at",
    "orders_orderevent": "event_in_trail",
    "django_admin_log": "journal_at",
}
