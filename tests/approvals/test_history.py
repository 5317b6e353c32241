"""The approval history: each record is added once, and the database refuses to change it."""

import functools

import pytest
from django.db import IntegrityError, connection, transaction

from approvals.models import ApprovalRecord
from approvals.services import RecordBodyDiffersError, add_record
from tests.approvals.conftest import make_order
from tests.conftest import shanghai
from tests.races.conftest import at_once

pytestmark = pytest.mark.django_db


def add(order, **changes):
    given = {
        "order_id": order.pk,
        "record_id": "bpm-1-1",
        "node": "sa-review",
        "node_name": "政企SA审批",
        "result": "pass",
        "operator": "zhangsan",
        "opinion": "同意",
        "time": shanghai("2023-09-20 19:19:10"),
        "finished": True,
        "body_hash": "a" * 64,
        "received_at": shanghai("2023-09-20 19:19:17"),
    }
    return add_record(ApprovalRecord(**{**given, **changes}))


def test_a_record_is_kept_as_given(order):
    record, created = add(order)
    assert created
    kept = ApprovalRecord.objects.get()
    assert kept == record
    assert (kept.source, kept.opinion, kept.finished) == ("bpm", "同意", True)
    assert kept.time == shanghai("2023-09-20 19:19:10")


def test_the_same_record_again_adds_nothing(order):
    first, _ = add(order)
    again, created = add(order, received_at=shanghai("2023-09-21 00:00:00"))
    assert (again, created) == (first, False)
    assert ApprovalRecord.objects.count() == 1


@pytest.mark.parametrize("other", ["body", "order"])
def test_the_same_id_with_another_body_is_refused(order, other):
    add(order)
    changes = {"body_hash": "b" * 64} if other == "body" else {"order_id": make_order("A2").pk}
    with pytest.raises(RecordBodyDiffersError):
        add(order, **changes)
    assert ApprovalRecord.objects.get().order_id == order.pk


def test_staff_may_waive(order):
    record, _ = add(order, source="staff", result="waive", finished=False)
    assert record.source == "staff"


def test_a_finished_return_is_no_record(order):
    with pytest.raises(IntegrityError):
        add(order, result="return", finished=True)


@pytest.mark.parametrize(
    "act",
    [
        lambda: ApprovalRecord.objects.update(opinion="changed"),
        lambda: ApprovalRecord.objects.all().delete(),
        lambda: connection.cursor().execute("DELETE FROM approvals_approvalrecord"),
    ],
    ids=["update", "delete", "sql"],
)
def test_the_database_refuses_to_change_or_delete_a_record(order, act):
    add(order)
    with pytest.raises(IntegrityError, match="never changed or deleted"), transaction.atomic():
        act()
    assert ApprovalRecord.objects.get().opinion == "同意"


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_adds_the_record(order):
    def work():
        with transaction.atomic():
            created = add(order)[1]
            assert ApprovalRecord.objects.count() == 1  # the outer transaction is still usable
        return created

    assert sorted(at_once(*[work] * 6)) == [False] * 5 + [True]
    assert ApprovalRecord.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_bodies_at_once_one_wins(order):
    def work(number):
        try:
            return add(order, body_hash=str(number) * 64)[1]
        except RecordBodyDiffersError:
            return False

    assert sorted(at_once(*(functools.partial(work, number) for number in range(6)))) == [False] * 5 + [True]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_the_guard_is_there_again_after_a_flush(order, turn):
    add(order)
    with pytest.raises(IntegrityError), transaction.atomic():
        ApprovalRecord.objects.update(opinion="changed")
