"""An upgrade from 1.0.0, which kept no shapes: what differs is named by one whole comparison, and nothing is mended."""

import importlib

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from integrations import tasks
from notifications.models import Mail
from orders.actions.take import take
from orders.history.order_writes import add_event
from orders.models import BillingRecord, Difference, Order, TrialClaim, TrialEnd, TrialShape
from orders.texts.errors import NotAllowedError
from orders.trials.shape import fold_after_upgrade
from orders.trials.shapes import SERVICE_NOW, shape_of
from tests.flows.conftest import BILLING, Books
from tests.flows.contents import activation, change, trial, withdrawal

A, B = "a.example.com", "b.example.com"
SERVICES = "orders.migrations.0034_changed_services"
SHOWN = "orders.migrations.0018_held_orders_shown"
MIGRATION = importlib.import_module("orders.migrations.0017_endings")


@pytest.fixture
def upgrade(desk):
    """Forgets what 1.0.0 did not keep, migrates, and runs the tasks that follow from it."""

    def run() -> list[Difference]:
        TrialShape.objects.all().delete()
        MIGRATION.carry_over(apps, None)
        assert Schedule.objects.get(name="compare_after_upgrade").func == MIGRATION.COMPARES
        OrmQ.objects.all().delete()
        before = len(desk.sent(BILLING))
        tasks.compare_after_upgrade()
        assert [row.task["func"] for row in OrmQ.objects.all()] == ["integrations.tasks.reconcile"]
        tasks.reconcile()
        desk.deliver()
        assert len(desk.sent(BILLING)) == before
        return list(Difference.objects.filter(state=Difference.State.OPEN).order_by("pk"))

    return run


def left_by_the_version_before(number: str, state: str, **fields) -> None:
    """An order in this state, as a row and in its history."""
    order = Order.objects.get(number=number)
    add_event(order, "state", by="test", now=timezone.now(), old=order.state, new=state)
    Order.objects.filter(pk=order.pk).update(state=state, **fields)


def test_a_desk_whose_books_are_right_has_nothing_to_name(desk, upgrade):
    desk.play(trial("T1", A, B, BizEnd="20231001"), change("C1", A, of="T1"), activation("A1", of="T1"))
    assert upgrade() == []
    shape = shape_of(Order.objects.get(number="T1"))
    assert (list(shape.domains), str(shape.end), shape.closed) == ([A], "2023-10-01", False)
    assert TrialShape.objects.filter(trial__number="T1").exists()
    assert Mail.objects.filter(kind="mail_reconciled", order=None).count() == 1


def test_what_differs_is_named_and_can_be_removed_or_lived_with_not_taken(desk, upgrade, capsys):
    """1.0.0 let b run on after its change was withdrawn, and our row with it. By itself nothing is changed."""
    desk.play(trial("T1", A, BizEnd="20231001"), change("C1", A, B, of="T1"))
    left_by_the_version_before("C1", "withdrawn", in_effect=False)
    (found,) = upgrade()
    assert (found.kind, found.job_id, found.domain, found.fix) == ("not_meant", "T1", B, None)
    assert (desk.troubles("T1"), desk.alive_there("T1")) == (["difference"], [A, B])
    with pytest.raises(NotAllowedError) as refused:
        take(number="T1", reason="客户经理确认", by="li", now=timezone.now())
    assert refused.value.code == "record_not_ours"
    assert desk.troubles("T1") == ["difference"]
    Books(desk, capsys).fix("T1")
    assert (desk.alive_there("T1"), desk.troubles("T1")) == ([A], [])


def test_a_change_that_was_withdrawn_and_rested_upon_goes_out_of_effect(desk, upgrade):
    desk.play(trial("T1", A), change("C1", A, B, of="T1"))
    left_by_the_version_before("C1", "withdrawn", in_effect=True)
    (found,) = upgrade()
    assert (found.kind, found.domain) == ("not_meant", B)
    assert not Order.objects.get(number="C1").in_effect


def test_what_a_given_up_change_left_stands(desk, upgrade):
    """1.0.0 wrote what it did into its list, its service and its end."""
    desk.play(trial("T1", A), change("C1", A, B, of="T1", BusinessType="4"))
    change_ = Order.objects.get(number="C1")
    Order.objects.filter(number="C1").update(given=["service_type"])
    change_.dispatches.filter(step="cancel_trial_billing").update(state="given_up")
    assert upgrade() == []
    assert Order.objects.get(number="C1").given == ["domains", "service_type"]


@pytest.mark.parametrize("claimed", [False, True])
def test_a_trial_that_ended_for_another_reason_than_its_last_day_stays_ended(desk, upgrade, claimed, trialing):
    if claimed:
        desk.play(activation("A1", of="T1"))
        TrialClaim.objects.update(trial_was="ended")
    else:
        left_by_the_version_before("T1", "ended")
        BillingRecord.objects.filter(order__number="T1").update(state="deleted")
        desk.sandbox.partners.store.delete_record(desk.sandbox.partners.store.records("T1")[0])
    assert upgrade() == []
    assert [end.kind for end in TrialEnd.objects.all()] == ["ending"]
    MIGRATION.carry_over(apps, None)  # it may run again after it was stopped
    assert TrialEnd.objects.count() == 1


def test_orders_that_were_held_before_show_their_trial_after_the_upgrade(desk):
    """A version before gave held orders neither attribution nor customer."""
    desk.play(trial("T1", Attribution="GD"), activation("A1"), change("C1", B))
    Order.objects.filter(number="C1").update(attribution=None, enterprise_id="", enterprise_name="")
    Order.objects.filter(number="A1").update(attribution="SH")
    importlib.import_module(SHOWN).show(apps, connection.schema_editor())
    held = desk.order("C1")
    assert (held.attribution_id, held.enterprise_id) == ("GD", desk.order("T1").enterprise_id)
    assert (held.enterprise_name, held.held_because) == (desk.order("T1").enterprise_name, "claim_held")
    assert desk.order("A1").attribution_id == "SH"  # it is not held


def test_services_that_changes_gave_are_known_after_the_upgrade(desk):
    """A version before noted them in the shape alone, and a worker of it may do so until it is stopped."""
    desk.play(trial("T1", A), change("C1", BusinessType="4"), trial("T2", B), trial("T3", "c.example.com"))
    desk.play(change("C2", BusinessType="4", of="T2"), change("C3", BusinessType="1", of="T2"))
    trials = Order.objects.filter(kind="trial").order_by("number").values_list(SERVICE_NOW, flat=True)
    Order.objects.update(changed_service=None)
    assert list(trials.all()) == ["1", "1", "1"]
    for _again in range(2):
        importlib.import_module(SERVICES).fill(apps, None)
        assert list(trials.all()) == ["4", "1", "1"]
    assert Schedule.objects.filter(name="compare_after_upgrade").count() == 1
    Order.objects.filter(number="T1").update(changed_service=None)
    Order.objects.filter(number="T2").update(changed_service="4")
    fold_after_upgrade()
    assert list(trials.all()) == ["4", "1", "1"]


def test_records_that_a_withdrawn_order_never_sent_are_deleted_after_the_upgrade(desk):
    desk.play(trial("T1", A), activation("A1"), activation("A2", B), activation("A3", B))
    desk.play(withdrawal("A2"))
    BillingRecord.objects.filter(order__number="A2").update(state="to_send")
    importlib.import_module(SHOWN).delete_never_sent(apps, connection.schema_editor())
    assert (desk.records("A2"), desk.records("A3")) == ({B: "deleted"}, {B: "to_send"})
