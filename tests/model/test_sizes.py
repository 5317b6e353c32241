"""Checks that an act sends no more SQL statements for an order with more domains (contract 2.4: up to 20,000).

Each play of sizes.py runs with few and with many domains. Each act must send the same number of statements both times.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from orders.actions.all_actions import DECISIONS
from orders.incidents.stuck import stuck
from orders.lists import page_fingerprint
from orders.lists.registration import exported_lists
from orders.models import Order
from orders.order_page.tabs import TABS
from orders.order_words.order_facts import facts_of
from tests.model.harness import Stage
from tests.model.sizes import PLAYS, domains, in_need, measure

FEW, MANY = 7, 47  # fewer than the rows of one INSERT statement (orders.db.compiled_sql)


@pytest.fixture
def stage(db):
    with Stage() as stage:
        yield stage


@pytest.mark.parametrize("name", PLAYS)
def test_an_act_asks_no_more_for_more_domains(stage, name):
    measure(stage, name, FEW)  # some queries are made once per process
    few, many = (measure(stage, name, count) for count in (FEW, MANY))
    assert not [act.line for act in many if "Error" in act.line]
    pairs = zip(few, many, strict=True)
    assert not [
        (one.line, one.statements, other.statements) for one, other in pairs if one.statements != other.statements
    ]


def pages_of(order: Order) -> list[str]:
    """Returns the addresses of an order's page, with all tabs, and of the order's decisions."""
    facts = facts_of(order, now=timezone.now())
    keys = [row.key for row in DECISIONS.values() if not row.why_not(facts)]
    decisions = [reverse("admin:orders_order_decide", args=[order.pk, key]) for key in keys]
    own = reverse("admin:orders_order_change", args=[order.pk])
    tabs = [f"{own}?tab={tab.key}" for tab in TABS]
    return [
        *tabs,
        *decisions,
        *(reverse(f"admin:orders_order_{name}", args=[order.pk]) for name in ("print", "preview")),
    ]


def asked_by_pages(stage: Stage, client, count: int, folder: Path) -> list[tuple[str, int]]:
    """Returns the numbers of statements by name, for orders with `count` domains.

    Covers each page of each order, each command that shows an order, and the export of each list.
    """
    found = []
    with stage.play() as desk:
        in_need(desk, lambda begin, end: domains(round(begin * count), round(end * count)))
        shown: list[tuple[str, Callable]] = []
        for order in Order.objects.order_by("pk"):
            shown += [(f"{order} {url.partition('order/')[2]}", partial(client.get, url)) for url in pages_of(order)]
            shown += [(f"show {order}", partial(call_command, "show", order.number, "--json", "--times"))]
            out = folder / f"{order}.zip"
            shown += [(f"evidence {order}", partial(call_command, "evidence", order.number, out))]
        out = folder / "list.xlsx"
        shown += [(f"export {name}", partial(call_command, "export", name, out)) for name in exported_lists()]
        shown += [("stuck", stuck)]
        for name, show in shown:
            page_fingerprint._counted.clear()
            with CaptureQueriesContext(connection) as asked:
                answer = show()
            assert getattr(answer, "status_code", 200) == 200, name
            found.append((re.sub(r"\d+", "#", name), len(asked)))
    return found


@pytest.mark.whole
def test_a_page_asks_no_more_for_more_domains(stage, admin_client, tmp_path, capsys):
    few, many = (asked_by_pages(stage, admin_client, count, tmp_path) for count in (FEW, MANY))
    assert [name for name, _ in few] == [name for name, _ in many]
    assert not [(name, before, after) for (name, before), (_, after) in zip(few, many, strict=True) if before < after]
