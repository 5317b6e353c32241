"""orders.db.bulk_write must save exactly what Django's own bulk_create and bulk_update would."""

import pathlib

import pytest
from django.db import IntegrityError, transaction

from orders.db.bulk_write import insert_rows, update_rows
from orders.models import Attempt, BillingRecord, Dispatch, InboundMessage, Order, OrderDomain, OrderEvent, TrialUsage
from tests import factories

pytestmark = pytest.mark.django_db
ROOT = pathlib.Path(__file__).parent.parent


def kept(row):
    """A row as the database has it, without its id."""
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
        factories.OrderEventFactory,
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
    wanted.save(force_update=True)  # it knows that it is there


def test_gives_each_row_its_own_id_over_many_statements():
    order = factories.OrderFactory()
    rows = [OrderDomain(order=order, name=f"A{n}.example.com", key=f"a{n}.example.com") for n in range(250)]
    insert_rows(rows)
    assert {row.pk: row.name for row in rows} == dict(order.domains.values_list("pk", "name"))


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
    record.refresh_from_db()
    assert (record.state, record.dispatch) == ("live", step)


def test_a_constraint_objects_as_ever():
    order = factories.OrderFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows([factories.OrderFactory.build(number=order.number)])
    assert Order.objects.count() == 1


def test_only_services_write_with_it():
    """Only services may write a status; orders.db.bulk_write must not bypass them (tests/test_architecture.py)."""
    apps = ("project", "integrations", "orders", "approvals", "notifications")
    users = {
        path.relative_to(ROOT).as_posix()
        for app in apps
        for path in (ROOT / app).rglob("*.py")
        if "orders.db.bulk_write" in path.read_text(encoding="utf-8") and path.name != "rows.py"
    }
    assert users
    assert all(user.startswith("orders/services/") for user in users)


def test_every_model_that_it_writes_has_a_plain_id():
    for model in (Attempt, BillingRecord, Dispatch, InboundMessage, Order, OrderDomain, OrderEvent, TrialUsage):
        assert model._meta.pk.column == "id"
        assert not model._meta.parents
