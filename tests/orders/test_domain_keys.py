"""Rows of versions that compared a domain in lower case alone get the keys of its form in ASCII."""

import importlib

import pytest
from django.apps import apps
from django.db import connection

from orders.models import BillingRecord, OrderDomain
from tests import factories as make

pytestmark = pytest.mark.django_db
MIGRATION = importlib.import_module("orders.migrations.0015_domain_keys")
IDN, IN_ASCII = "Bücher.cn", "xn--bcher-kva.cn"


def migrate():
    MIGRATION.give_new_keys(apps, connection.schema_editor())


def domain(name: str, **more) -> OrderDomain:
    return make.OrderDomainFactory(name=name, key=name.lower(), **more)


def record(name: str, **more) -> BillingRecord:
    return make.BillingRecordFactory(domain=name, domain_key=name.lower(), **more)


def keys(*rows) -> list[str]:
    for row in rows:
        row.refresh_from_db()
    return [row.key if isinstance(row, OrderDomain) else row.domain_key for row in rows]


@pytest.mark.parametrize("make_row", [domain, record])
def test_only_what_is_beyond_ascii_changes(make_row, monkeypatch):
    monkeypatch.setattr(MIGRATION, "BATCH", 2)
    names = ["A.cn", IDN, "b.cn", "中文.cn", "XN--BCHER-KVA.cn", "😀.Cn", "straße.de"]
    rows = [make_row(name) for name in names]
    migrate()
    expected = ["a.cn", IN_ASCII, "b.cn", "xn--fiq228c.cn", IN_ASCII, "😀.cn", "xn--strae-oqa.de"]
    assert keys(*rows) == expected
    migrate()
    assert keys(*rows) == expected


def test_a_domain_that_an_order_has_in_both_forms_keeps_its_key():
    first = domain(IDN)
    second = domain(IN_ASCII, order=first.order)
    mine = record(IN_ASCII, order=first.order)
    twice = record(IDN, order=first.order)
    other = record(IDN, order=first.order, product_id="another")
    migrate()
    assert keys(first, second, mine, twice, other) == [IDN.lower(), IN_ASCII, IN_ASCII, IDN.lower(), IN_ASCII]


def test_the_rows_are_found_in_the_database():
    """A million rows whose names are ASCII are not read one by one."""
    for number in range(20):
        domain(f"d{number}.cn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MIGRATION, "domain_key", None)
        migrate()
