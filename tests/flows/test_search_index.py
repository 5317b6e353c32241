"""New orders are found by the search, whenever the worker indexes them and wherever the worker was killed."""

import contextlib
import datetime
import sqlite3

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from integrations import tasks
from integrations.models import LeaseLock
from integrations.partners.profile import read_profile
from orders.models import (
    Customer,
    DomainText,
    Order,
    OrderDomain,
    OrderText,
)
from orders.rules.host_names import domain_key
from orders.search import find
from orders.search import index as search_index
from tests import factories as make
from tests.flows.contents import activation, change, trial

ENTERPRISE = "100A23100079275183"


def index(times: int = 1) -> int:
    return sum(search_index.index_orders(now=timezone.now(), seconds=60) for _ in range(times))


def orders(term: str) -> list[str]:
    return [row.number for row in find.find_orders(term, Order.objects.all(), 9).rows]


def customers(term: str) -> list[str]:
    return [row.pk for row in find.find_customers(term, Customer.objects.annotate(shown_name=F("name")), 9).rows]


def domains(term: str) -> list[str]:
    return [row.name for row in find.find_domains(term, OrderDomain.objects.all(), 9).rows]


def test_an_order_is_found_after_the_next_drain(desk):
    desk.post(trial("100A230920170122001", "Pull.api-eas-3.example.com", EnterpriseName="北京云帆网络科技"))
    tasks.drain()
    assert orders("170122") == orders("2001") == orders("100a2309") == ["100A230920170122001"]
    assert customers("帆网") == customers("79275183") == [ENTERPRISE]
    assert domains("i-eas") == domains("example.com") == domains("PULL.API") == ["Pull.api-eas-3.example.com"]


def test_an_internationalized_domain_is_found_by_both_forms(desk):
    desk.post(trial("T1", "www.例子小站.cn"))
    desk.post(trial("T2", "xn--bcher-kva.example"))
    tasks.drain()
    ascii_form = domain_key("www.例子小站.cn")
    assert domains("www.例子小站.cn") == domains("子小") == domains(ascii_form) == ["www.例子小站.cn"]
    assert domains("bücher.example") == domains("BÜCH") == domains("bcher-kva") == ["xn--bcher-kva.example"]


def test_what_comes_later_is_found_too(desk):
    """An activation that comes before its trial has no customer yet, and a BPM process number comes with BPM's answer.
    The search finds both once they are known."""
    desk.post(activation("A1"))
    index()
    assert customers(ENTERPRISE) == []
    desk.post(trial("T1"))
    desk.sweep()
    desk.clock.shift(40)
    index()
    assert customers(ENTERPRISE) == [ENTERPRISE]
    process = desk.order("A1").bpm_process
    assert process
    for column, term in (("process", process), ("product", "P-A1")):
        found = find.find_by_beginning(column, term, Order.objects.all(), 9, None)
        assert [row.number for row in found.rows] == ["A1"]
    assert [row.number for row in find.find_by_phone("13800000000", Order.objects.all(), 9).rows] == ["T1", "A1"]


def test_a_customer_goes_by_its_newest_name_and_is_found_by_each(desk):
    desk.play(trial("T1", "a.example.com", EnterpriseName="湖畔视频"))
    index()
    desk.clock.shift(600)
    desk.play(trial("T2", "b.example.com", EnterpriseName="湖滨传媒"))
    index()
    customer = Customer.objects.get()
    assert (customer.name, customer.last_order.number) == ("湖滨传媒", "T2")
    assert customer.first_seen < customer.last_seen
    assert customers("湖畔") == customers("湖滨") == [ENTERPRISE]


@pytest.mark.parametrize("noted", [False, True])
def test_customers_of_a_version_before_are_found_in_their_list_by_each_name(desk, admin_client, noted):
    """An older version stored no texts of customers. Such customers are still found in their list by each of their
    names."""
    desk.play(trial("T1", "a.example.com", EnterpriseName="湖畔视频"))
    index()
    Customer.objects.update(texts=None)
    desk.play(trial("T2", "b.example.com", EnterpriseName="湖滨传媒"))
    index()
    if not noted:
        Customer.objects.update(texts=None)
        index()
    for term, found in (("湖畔", 1), ("湖滨传", 1), (ENTERPRISE[4:9], 1), ("湖边", 0), ("视频湖滨", 0)):
        assert admin_client.get("/admin/orders/customer/", {"q": term}).context["cl"].result_count == found, term


def test_attributions_follow_the_orders(desk):
    desk.post(trial("T1", Attribution="SH"))
    desk.post(trial("T2", "b.example.com", Attribution="BJ"))
    index()
    assert set(Customer.objects.get().attributions.values_list("letters", flat=True)) == {"SH", "BJ"}


@pytest.mark.django_db
def test_old_orders_are_indexed_newest_first_and_new_ones_before_them(monkeypatch):
    monkeypatch.setattr(search_index, "ORDERS_A_TRANSACTION", 2)
    for _ in range(5):
        make.OrderFactory()
    now = timezone.now()
    search_index.index_orders(now=now, seconds=0)
    assert find.is_behind()
    fresh = make.OrderFactory(received_at=now)
    # one batch of new orders and the search for more, and then the worker is killed
    turns = iter([True, True, False, False, False])
    search_index.index_orders(now=now, seconds=60, may_go_on=lambda: next(turns, False))
    assert [row.order_id for row in OrderText.objects.all()] == [fresh.pk]
    assert search_index.index_orders(now=now, seconds=60) == 5
    assert OrderText.objects.count() == 6
    assert not find.is_behind()


@pytest.mark.django_db
def test_killed_at_any_moment_it_goes_on(monkeypatch):
    """The row that marks an order as indexed is written last. So a killed worker leaves the order unmarked, and all
    its rows are written again."""
    order = make.OrderFactory(number="100A777", received_at=timezone.now())
    make.OrderDomainFactory(order=order, name="www.site.example.com")
    for name in ("_index_domains", "_keep_customers"):
        with monkeypatch.context() as patch:
            patch.setattr(search_index, name, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                index()
        assert not OrderText.objects.exists()
    assert index() == 1
    count = DomainText.objects.count()
    OrderText.objects.all().delete()
    assert index() == 1
    assert DomainText.objects.count() == count == 1
    assert index() == 0


@pytest.mark.django_db
def test_an_order_that_commits_late_is_not_passed_over():
    now = timezone.now()
    late = make.OrderFactory(received_at=now)
    place = late.pk
    make.OrderFactory(received_at=now)
    Order.objects.filter(pk=place).delete()  # the transaction of this order has its id and has not ended
    index()
    make.OrderFactory(pk=place, received_at=now)
    assert index() == 1


@pytest.mark.django_db
def test_a_domain_is_indexed_once_however_many_orders_name_it():
    for _ in range(3):
        make.OrderDomainFactory(name="www.site.example.com")
    index()
    assert DomainText.objects.count() == 1
    assert domains("www.site") == ["www.site.example.com"] * 3


@pytest.mark.django_db
def test_a_domain_that_one_order_loses_is_found_by_another_that_names_it():
    first, second = (make.OrderDomainFactory(name="www.site.example.com").order for _ in range(2))
    index()
    first.domains.all().delete()
    make.OrderEventFactory(order=first, kind="domains_named", at=timezone.now() - datetime.timedelta(minutes=1))
    index()
    found = find.find_domains("site.example", OrderDomain.objects.all(), 9).rows
    assert [row.order for row in found] == [second]


@pytest.mark.django_db
def test_domains_that_are_named_later_are_found():
    order = make.OrderFactory()
    index()
    make.OrderDomainFactory(order=order, name="later.site.example.com")
    make.OrderEventFactory(order=order, kind="domains_named", at=timezone.now() - datetime.timedelta(minutes=1))
    index()
    assert domains("later.site") == ["later.site.example.com"]


@pytest.mark.django_db
def test_orders_with_many_domains_are_indexed_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(search_index, "MAX_DOMAINS", 3)
    monkeypatch.setattr(search_index, "DOMAINS", 2)
    rows = [make.OrderFactory() for _ in range(3)]
    for place in range(12):
        make.OrderDomainFactory(order=rows[place % 3], name=f"d{place}.example.com")
    turns = iter([True] * 4)  # the searches for new orders, changed orders and customers, and one batch of old orders
    search_index.index_orders(now=timezone.now(), seconds=60, may_go_on=lambda: next(turns, False))
    assert list(OrderText.objects.values_list("order_id", flat=True)) == [rows[-1].pk]
    for row in rows:
        make.OrderEventFactory(order=row, kind="went_on", at=timezone.now() - datetime.timedelta(minutes=1))
    index()
    assert OrderText.objects.count() == 3
    assert all(domains(f"d{place}.example") for place in range(12))


@pytest.mark.whole
@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="a snapshot grows stale on SQLite alone")
@pytest.mark.django_db(transaction=True)
def test_another_process_commits_before_each_transaction():
    """The order has more domains than one query reads at once. If the query were still open when the transaction
    begins, another process's commit would make the transaction fail."""
    OrderDomain.objects.bulk_create(make.OrderDomainFactory.build_batch(2_001, order=make.OrderFactory()))
    name = connection.settings_dict["NAME"]

    def commit_elsewhere(execute, sql, params, many, context):
        if sql.startswith("BEGIN"):
            with contextlib.closing(sqlite3.connect(name)) as other, other:
                other.execute("UPDATE orders_order SET product_id = product_id || '1'")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(commit_elsewhere):
        assert index() == 1


@pytest.mark.django_db
def test_one_process_at_a_time():
    make.OrderFactory()
    now = timezone.now()
    lock = LeaseLock.objects.create(
        name="search", holder="00000000-0000-0000-0000-000000000001", until=now + datetime.timedelta(seconds=5)
    )
    assert tasks.index_search(1.0) == 0
    lock.delete()
    assert tasks.index_search(1.0) == 1


@pytest.mark.django_db
def test_an_error_does_not_stop_deliveries(monkeypatch, caplog):
    monkeypatch.setattr(tasks, "index_orders", lambda **_: 1 / 0)
    assert tasks.drain() == "0 tried, 0 done"
    assert "can't be indexed" in caplog.text


def test_a_change_belongs_to_its_customer(desk):
    desk.play(trial("T1"), change("C1", "n.example.com"))
    index()
    assert Customer.objects.get().last_order.number == "C1"


def test_a_wildcard_is_found_as_a_domain_of_its_own(desk, settings):
    settings.PARTNERS = read_profile("[bboss.domains]\nwildcards = true")
    desk.post(trial("T1", "*.li.example.com"))
    desk.post(trial("T2", "li.example.com"))
    tasks.drain()
    assert domains("*.li.example.com") == ["*.li.example.com"]
    assert domains("*.LI") == ["*.li.example.com"]
    assert domains("li.example") == ["li.example.com", "*.li.example.com"]
    assert domains("*.*") == []
