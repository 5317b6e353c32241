"""orders.db.compiled_sql must save exactly what Django's own bulk_create and bulk_update would save."""

import re

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from django.db.models import NOT_PROVIDED, Model

from orders.db.compiled_sql import insert_rows, insert_together, reserve_ids, update_rows
from orders.db.row import Row
from orders.models import Attempt, BillingRecord, Dispatch, InboundMessage, Order, OrderDomain, OrderEvent, TrialUsage
from tests import factories
from tests.sources import MODULES, source
from tests.test_architecture import WRITERS

pytestmark = pytest.mark.django_db


def kept(row):
    """Returns the values of a row in the database, without its id."""
    fields = [field.attname for field in row._meta.concrete_fields if not field.primary_key]
    return type(row).objects.filter(pk=row.pk).values(*fields).get()


@pytest.mark.parametrize(
    "factory",
    [
        factories.OrderFactory,
        factories.OrderDomainFactory,
        factories.TrialClaimFactory,
        factories.BillingRecordFactory,
        factories.TrialUsageFactory,
        factories.DispatchFactory,
        factories.AttemptFactory,
        factories.InboundMessageFactory,
        factories.AcceptedCallFactory,
    ],
)
def test_inserts_what_django_would(factory):
    wanted = factory.create()
    expected = kept(wanted)
    wanted.delete()
    wanted.pk = None
    insert_rows([wanted])
    assert kept(wanted) == expected
    wanted.save(force_update=True)  # an update works only if the row knows that it is stored


def test_inserts_an_event_as_django_would():
    """The event that Django saved stays, because the database lets nobody delete events."""
    wanted = factories.OrderEventFactory()
    expected = kept(wanted)
    wanted.pk = None
    insert_rows([wanted])
    assert kept(wanted) == expected
    assert OrderEvent.objects.count() == 2


ROWS = [model for model in apps.get_models() if issubclass(model, Row) and not model._meta.proxy]


@pytest.mark.parametrize("model", ROWS)
def test_a_new_row_has_the_models_defaults(model):
    ours, djangos = model(), model.__new__(model)
    Model.__init__(djangos)
    made = {field.attname for field in model._meta.concrete_fields if field.default not in {list, dict, NOT_PROVIDED}}
    made = {name for name in made if callable(model._meta.get_field(name).default)}
    names = [field.attname for field in model._meta.concrete_fields if field.attname not in made]
    assert [getattr(ours, name) for name in names] == [getattr(djangos, name) for name in names]
    assert all(type(getattr(ours, name)) is type(getattr(djangos, name)) for name in made)
    assert ours._state.adding


def test_new_rows_share_nothing():
    one, other = Dispatch(step="create_billing"), Dispatch()
    one.about["a"] = 1
    assert (other.about, other.step) == ({}, "")
    assert one.key != other.key


def test_a_new_row_takes_and_refuses_what_django_does():
    order = Order(pk=7, number="T1")
    assert (Dispatch(order=order).order_id, OrderDomain(order=order, pk=3).pk) == (7, 3)
    with pytest.raises(TypeError, match="unexpected keyword"):
        OrderDomain(order=order, domain="a.cn")
    with pytest.raises(ValueError, match="must be a"):
        OrderDomain(order=Dispatch())


def test_gives_each_row_its_own_id_over_many_statements():
    order = factories.OrderFactory()
    rows = [OrderDomain(order=order, name=f"A{n}.example.com", key=f"a{n}.example.com") for n in range(250)]
    insert_rows(rows)
    assert {row.pk: row.name for row in rows} == dict(order.domains.values_list("pk", "name"))


WORDS = "中文 \U0001f600 \u2028 ' \" \\ %s {} \x7f\n\t"


def test_rows_of_several_models_saved_together_are_what_django_would_save():
    """The rows contain times with microseconds, keys, long numbers, every kind of text, and JSON at any depth."""
    order = factories.OrderFactory.build(content={WORDS: [WORDS, None, 1.5, 10**30, True, {"": []}], "a": {"b": "c"}})
    order.enterprise_name, order.received_at = WORDS, factories.NOW.replace(microsecond=123456)
    event = OrderEvent(order=order, kind="received", actor=WORDS, at=factories.NOW, data={"说": ["明", None, 1.5]})
    records = [factories.BillingRecordFactory.build(order=order, domain_key=f"d{n}") for n in range(3)]
    reserve_ids([order, event, *records])
    steps = [factories.DispatchFactory.build(order=order, records=[row.pk for row in records]) for _ in range(3)]
    reserve_ids(steps)
    message = factories.InboundMessageFactory.build(body=WORDS)
    reserve_ids([message])
    rows = [order, event, *records, *steps, message]
    for row in rows:
        row.save(force_insert=True)
    expected = [kept(row) for row in rows]
    for row in reversed(rows):
        type(row).objects.filter(pk=row.pk).delete()
    insert_together(rows)
    assert [kept(row) for row in rows] == expected


def test_rows_without_ids_come_in_the_given_sequence():
    order = factories.OrderFactory()
    insert_together([OrderDomain(order=order, name=f"A{n}.cn", key=f"a{n}.cn") for n in range(150)])
    assert list(order.domains.order_by("pk").values_list("key", flat=True)) == [f"a{n}.cn" for n in range(150)]


def test_takes_the_id_of_a_row_that_was_saved_meanwhile():
    order = factories.OrderFactory.build()
    event = OrderEvent(order=order, kind="received", actor="bboss", at=factories.NOW, data={"说": ["明", None, 1.5]})
    insert_rows([order])
    insert_rows([event])
    assert OrderEvent.objects.get() == event
    assert OrderEvent.objects.get().data == {"说": ["明", None, 1.5]}
    assert OrderEvent.objects.get().order == order


@pytest.mark.parametrize("rows", [[], ()])
def test_nothing_to_write_asks_nothing(rows, django_assert_num_queries):
    with django_assert_num_queries(0):
        insert_rows(rows)
        update_rows(rows, ["state"])


def test_updates_only_the_named_fields_of_each_row():
    rows = factories.DispatchFactory.create_batch(3)
    for place, row in enumerate(rows):
        row.records, row.payload, row.error = [place], f"请求{place}", "not saved"
    update_rows(rows, ["records", "payload"])
    found = list(Dispatch.objects.order_by("pk"))
    assert [(row.records, row.payload, row.error) for row in found] == [([n], f"请求{n}", "") for n in range(3)]


def test_updates_a_reference_by_its_name():
    record, step = factories.BillingRecordFactory(), factories.DispatchFactory()
    update_rows([BillingRecord(pk=record.pk, state="live", dispatch=step)], ["state", "dispatch"])
    assert (factories.fresh(record).state, record.dispatch) == ("live", step)


def test_a_constraint_objects_as_ever():
    order = factories.OrderFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows([factories.OrderFactory.build(number=order.number)])
    assert Order.objects.count() == 1


def test_only_services_write_with_it():
    """Only modules that may write a status may use insert_rows and update_rows. Otherwise these functions would be a
    way around tests/test_architecture.py.
    """
    users = [module for module in MODULES if re.search(r"\b(insert|update)_rows\b", source(module))]
    users.remove("orders/db/compiled_sql.py")
    assert users
    assert all(user.startswith(WRITERS) for user in users)


def test_every_model_that_it_writes_has_a_plain_id():
    for model in (Attempt, BillingRecord, Dispatch, InboundMessage, Order, OrderDomain, OrderEvent, TrialUsage):
        assert model._meta.pk.column == "id"
        assert not model._meta.parents
