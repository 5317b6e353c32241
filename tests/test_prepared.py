"""orders.db.compiled_query must find exactly what the same query finds when Django builds it anew."""

import pytest

from orders.db.compiled_query import Prepared, Slot
from orders.models import BillingRecord, Dispatch, Order, OrderDomain
from tests import factories

pytestmark = pytest.mark.django_db


def columns(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_gives_whole_rows_of_a_model():
    for _ in range(3):
        factories.DispatchFactory(records=[1, 2], about={"说": None})
    wanted = list(Dispatch.objects.all())
    found = Prepared(lambda: Dispatch.objects.filter(state=Slot("state")))(state="due")
    assert [columns(row) for row in found] == [columns(row) for row in wanted]
    assert [(row._state.db, row._state.adding) for row in found] == [("default", False)] * 3


def test_rows_can_be_saved_and_followed():
    order = factories.OrderFactory()
    found = Prepared(lambda: Order.objects.filter(number=Slot("number"))).first(number=order.number)
    found.oper_user = "李四"
    found.save()
    order.refresh_from_db()
    assert order.oper_user == "李四"
    assert found.attribution.letters == "BJ"


def test_gives_plain_values_where_values_are_asked_for():
    order = factories.OrderFactory()
    for name in ("b.example.com", "A.example.com"):
        factories.OrderDomainFactory(order=order, name=name)
    one = Prepared(lambda: OrderDomain.objects.filter(order=Slot("order")).values_list("name", flat=True))
    two = Prepared(lambda: OrderDomain.objects.filter(order=Slot("order")).values_list("name", "key"))
    assert one(order=order.pk) == ["b.example.com", "A.example.com"]
    assert two(order=order.pk) == [("b.example.com", "b.example.com"), ("A.example.com", "a.example.com")]


def test_each_use_has_its_own_values_and_nothing_is_mixed_up():
    records = [factories.BillingRecordFactory(product_id=f"{n}") for n in range(3)]
    ask = Prepared(lambda: BillingRecord.objects.filter(product_id=Slot("product"), order=Slot("order"), info_type="2"))
    for _ in range(2):
        for record in records:
            assert ask(order=record.order_id, product=record.product_id) == [record]
        assert ask(order=records[0].order_id, product="1") == []


def test_is_put_together_once(django_assert_num_queries):
    built = []
    ask = Prepared(lambda: built.append(1) or Order.objects.filter(number=Slot("number")))
    with django_assert_num_queries(3):
        assert [ask.first(number=f"unknown-{n}") for n in range(3)] == [None] * 3
    assert built == [1]


def test_a_value_cannot_become_sql():
    factories.OrderFactory()
    ask = Prepared(lambda: Order.objects.filter(number=Slot("number")))
    assert ask(number="' OR 1=1 --") == ask(number="%s") == []


def test_a_missing_value_is_an_error():
    with pytest.raises(KeyError):
        Prepared(lambda: Order.objects.filter(number=Slot("number")))()
