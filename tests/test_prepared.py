"""The precompiled queries of orders.db.compiled_sql must find exactly what the same queries find if they are compiled
each time.
"""

import pytest
from django.utils import timezone

from orders.db.compiled_sql import Prepared, Slot
from orders.db.expressions import OneOf
from orders.models import BillingRecord, Dispatch, Order, OrderDomain
from project.observability.desk_snapshot import DeskSnapshot
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
    assert factories.fresh(order).oper_user == "李四"
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


def test_a_value_cannot_become_sql_and_a_missing_one_is_an_error():
    factories.OrderFactory()
    ask = Prepared(lambda: Order.objects.filter(number=Slot("number")))
    assert ask(number="' OR 1=1 --") == ask(number="%s") == []
    with pytest.raises(KeyError):
        ask()


def test_a_list_of_values_may_be_empty_or_long_and_takes_one_statement(django_assert_num_queries):
    wanted = [factories.DispatchFactory().pk for _ in range(3)]
    by_id = Prepared(lambda: Dispatch.objects.filter(OneOf("pk", "ids")).order_by("pk"))
    by_order = Prepared(lambda: Dispatch.objects.filter(OneOf("order__number", "numbers")).values_list("pk"))
    with django_assert_num_queries(5):
        assert by_id(ids=[]) == by_order(numbers=()) == []
        assert [row.pk for row in by_id(ids={*wanted[:2], 10**9})] == wanted[:2]
        assert [row.pk for row in by_id(ids=range(1, 100_001))] == [pk for pk in wanted if pk <= 100_000]
        assert by_order(numbers=["' OR 1=1 --", '"]', "%s"]) == []


def test_a_list_stands_beside_other_conditions():
    one, two, three = (factories.DispatchFactory(step=step) for step in ("start_bpm", "create_billing", "start_bpm"))
    ask = Prepared(
        lambda: (
            Dispatch.objects.filter(OneOf("pk", "ids") | OneOf("order__number", "numbers"), step=Slot("step"))
            .order_by("pk")
            .values_list("pk")
        )
    )
    assert ask(step="start_bpm", ids=[one.pk, two.pk], numbers=[three.order.number]) == [one.pk, three.pk]


def test_related_rows_come_with_it_and_what_is_deferred_comes_later(django_assert_num_queries):
    trial = factories.OrderFactory()
    rows = [factories.DispatchFactory(order__trial=trial, order__kind="activation"), factories.DispatchFactory()]
    queries = Dispatch.objects.select_related("order__trial").defer("payload", "order__content").order_by("pk")
    wanted = list(queries)
    found = Prepared(lambda: queries.filter(OneOf("pk", "ids")))(ids=[row.pk for row in rows])
    with django_assert_num_queries(0):
        assert [row.order.trial for row in found] == [trial, None]
    assert [row.get_deferred_fields() for row in found] == [row.get_deferred_fields() for row in wanted]
    assert [columns(row) for row in found] == [columns(row) for row in wanted]
    assert found[0].order.content == rows[0].order.content


def test_what_waits_can_be_asked_by_a_process_that_lives_long():
    """From a statement's sixth run on, psycopg has the server prepare it. The parameters of a UNION then have a type
    only if the statement casts them.
    """
    assert [DeskSnapshot(timezone.now()).stuck for _ in range(8)] == [0] * 8
