"""Waiving a finding about a file, and checking the files again at once."""

import datetime

import pytest
from django_q.models import OrmQ

from approvals.models import ApprovalRecord
from orders.attachments.files_hold import recheck_files, waive_files
from orders.models import Attempt, Order
from orders.sending.record import record_outcomes
from orders.texts.errors import NotAllowedError
from tests.factories import NOW, OrderFactory, fresh
from tests.files.conftest import check_of, outcome_under_way

LATER = NOW + datetime.timedelta(seconds=30)


def waive(order, **changes):
    arguments = {"number": order.number, "reason": "已线下审核", "by": "staff:lisi", "now": LATER} | changes
    return waive_files(**arguments)


def test_a_waived_order_goes_on_and_the_waiver_enters_the_histories(order):
    found = waive(order, reason="  已线下审核 ")
    assert (found.state, found.held_because) == ("in_progress", "")
    assert (fresh(order).state, order.held_because) == ("in_progress", "")
    check = check_of(order)
    assert (check.state, check.definite, check.done_at, check.next_try_at) == ("done", True, LATER, None)
    assert order.dispatches.get(position=2).state == "due"
    assert OrmQ.objects.count() == 1
    record = ApprovalRecord.objects.get()
    assert record.record_id.startswith("waive-")
    assert (record.order_id, record.source, record.result, record.node) == (order.pk, "staff", "waive", "files")
    assert (record.operator, record.opinion, record.finished) == ("staff:lisi", "已线下审核", False)
    assert (record.time, record.received_at) == (LATER, LATER)
    assert len(record.body_hash) == 64
    event = order.events.get(kind="waived")
    assert (event.actor, event.data["reason"]) == ("staff:lisi", "已线下审核")
    assert not order.troubles.filter(closed_at=None).exists()
    assert order.troubles.get().incident.state == "resolved"
    with pytest.raises(NotAllowedError):
        waive(order)
    assert ApprovalRecord.objects.count() == 1


def test_a_look_under_way_comes_too_late(order):
    outcome = outcome_under_way(order, result=Attempt.Outcome.HELD, code="missing", message="no such file")
    waive(order)
    record_outcomes([outcome], now=LATER)
    assert check_of(order).state == "done"
    assert Order.objects.get(pk=order.pk).state == "in_progress"


@pytest.mark.parametrize("reason", ["", " ", "\n\t"])
def test_a_waiver_needs_a_reason(reason, order):
    with pytest.raises(NotAllowedError, match="needs a reason"):
        waive(order, reason=reason)
    assert check_of(order).state == "retrying"


@pytest.mark.parametrize(
    "fields", [{"state": "in_progress"}, {"state": "held", "held_because": "trial_unknown"}, {"state": "withdrawn"}]
)
def test_only_what_is_held_for_its_files_is_waived(db, fields):
    order = OrderFactory(**fields)
    with pytest.raises(NotAllowedError, match=f"not held for its files .state {fields['state']}"):
        waive(order)
    assert not ApprovalRecord.objects.exists()


def test_all_are_looked_at_again(held):
    orders = [held(), held()]
    OrderFactory()
    assert recheck_files(numbers=None, now=LATER) == sorted(order.number for order in orders)
    assert [check_of(order).next_try_at for order in orders] == [LATER, LATER]
    assert [check_of(order).state for order in orders] == ["retrying", "retrying"]
    assert OrmQ.objects.count() == 1


def test_only_the_named_are_looked_at_again(held):
    named, other = held(), held()
    assert recheck_files(numbers=[named.number, "nobody"], now=LATER) == [named.number]
    assert check_of(other).next_try_at > LATER


def test_a_look_under_way_is_left_alone(order):
    order.dispatches.filter(step="check_files").update(state="sending")
    assert recheck_files(numbers=None, now=LATER) == []
    assert check_of(order).next_try_at > LATER
    assert OrmQ.objects.count() == 0
