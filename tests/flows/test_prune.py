"""`prune` removes old messages and attempts, but keeps for good what a repeated order needs (contract 2.3, 5)."""

import datetime

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from approvals.models import ApprovalRecord
from integrations.models import BpmCallback
from orders.history import pruning
from orders.history.pruning import prune
from orders.models import AcceptedCall, Attempt, BillingRecord, Dispatch, InboundMessage, Order, OrderEvent
from tests.bboss.conftest import ACTIVATION, TRIAL
from tests.bboss_messages import post_order
from tests.factories import (
    NOW,
    AffectedOrderFactory,
    ApprovalRecordFactory,
    AttemptFactory,
    DispatchFactory,
    InboundMessageFactory,
    OrderFactory,
)

OLD = NOW - datetime.timedelta(days=100)
KEPT = [Order, OrderEvent, Dispatch, BillingRecord, ApprovalRecord, AcceptedCall]


def answer(desk, content: dict, trans_ido: str) -> tuple[str, str]:
    reply = post_order(desk.client, content, trans_ido=trans_ido)
    return reply["response"]["rspCode"], reply["transIDH"]


def old_order(**fields) -> Attempt:
    """Creates an order with one attempt that is a hundred days old."""
    order = OrderFactory(**{"state": "active"} | fields)
    step = DispatchFactory(order=order, state="done", attempts=1, frozen_at=OLD)
    return AttemptFactory(dispatch=step, started_at=OLD, finished_at=OLD, outcome="ok")


def test_repeats_are_answered_as_before(desk, capsys):
    desk.play(TRIAL)
    first = answer(desk, ACTIVATION, "ido-1")
    desk.deliver()
    ApprovalRecordFactory(order=desk.order("100A1"))
    assert Attempt.objects.filter(dispatch__order__number="100A1").count() > 2
    desk.clock.shift(100 * 86400)
    before = {model: model.objects.count() for model in KEPT}
    call_command("prune", older_than=90, by="lisi")
    assert "removed 2 inbound messages and" in capsys.readouterr().out
    assert (InboundMessage.objects.count(), Attempt.objects.count()) == (0, 0)
    pruned = OrderEvent.objects.get(kind="pruned")
    assert (pruned.actor, pruned.data["messages"]) == ("command:lisi", 2)
    assert {model: model.objects.count() for model in KEPT} == before | {OrderEvent: before[OrderEvent] + 1}

    calls = len(desk.sandbox.calls())
    assert answer(desk, ACTIVATION, "ido-1") == ("00000", first[1])
    assert answer(desk, ACTIVATION, "ido-2") == ("00000", first[1])
    assert answer(desk, ACTIVATION | {"DataFlow": "2"}, "ido-1")[0] == "20002"
    assert answer(desk, ACTIVATION | {"DataFlow": "2"}, "ido-3")[0] == "30000"
    desk.deliver()
    assert len(desk.sandbox.calls()) == calls


@pytest.mark.django_db
def test_what_is_young_stays():
    young = NOW - datetime.timedelta(days=89)
    InboundMessageFactory(received_at=OLD)
    kept = InboundMessageFactory(received_at=young)
    prune(callbacks=BpmCallback, before=NOW - datetime.timedelta(days=90), by="test", now=NOW)
    assert list(InboundMessage.objects.all()) == [kept]


@pytest.mark.django_db
def test_attempts_of_finished_orders_go_and_those_of_others_stay():
    finished = ["active", "converted", "ended", "applied", "rejected", "withdrawn"]
    others = ["in_progress", "trialing", "awaiting_approval", "scheduled", "failed", "compensating"]
    for state in (*finished, *others):
        old_order(state=state)
    old_order(state="held", held_because="files")
    assert prune(callbacks=BpmCallback, before=NOW, by="test", now=NOW).attempts == len(finished)
    assert set(Attempt.objects.values_list("dispatch__order__state", flat=True)) == {*others, "held"}


@pytest.mark.django_db
def test_attempts_stay_while_something_is_open():
    AffectedOrderFactory(order=old_order().dispatch.order)
    for number, state in enumerate(("failed", "due", "waiting")):
        order = old_order().dispatch.order
        DispatchFactory(order=order, position=5 + number, state=state)
    assert prune(callbacks=BpmCallback, before=NOW, by="test", now=NOW).attempts == 0
    AffectedOrderFactory(order=old_order().dispatch.order, closed_at=NOW)
    DispatchFactory(order=old_order().dispatch.order, position=9, state="failed", superseded=True)
    assert prune(callbacks=BpmCallback, before=NOW, by="test", now=NOW).attempts == 2


@pytest.mark.django_db
def test_batches_go_past_what_stays(monkeypatch):
    monkeypatch.setattr(pruning, "ROWS_AT_ONCE", 2)
    for number in range(9):
        old_order(state="failed" if number in {0, 1, 5} else "active")
        InboundMessageFactory(received_at=OLD)
    AttemptFactory(dispatch=old_order().dispatch, number=2, started_at=NOW)
    told = []
    pruned = prune(
        callbacks=BpmCallback,
        before=NOW,
        by="test",
        now=NOW,
        on_progress=lambda so_far: told.append(so_far.messages + so_far.attempts),
    )
    assert (pruned.messages, pruned.attempts, told[-1]) == (9, 7, 16)
    assert Attempt.objects.count() == 4


@pytest.mark.django_db
@pytest.mark.parametrize(
    "words, left", [([], 2), (["--refused-older-than", "99"], 1), (["--refused-older-than", "1"], 0)]
)
def test_what_strangers_sent_has_a_time_of_its_own(words, left):
    """Messages of strangers are kept for 180 days unless the option names another number of days (at least one), so
    that somebody can look into them."""
    now = timezone.now()
    for days in (200, 100, 50):
        InboundMessageFactory(received_at=now - datetime.timedelta(days=days), signed=False)
    InboundMessageFactory(received_at=now - datetime.timedelta(days=100))
    call_command("prune", "--older-than", "90", *words)
    assert InboundMessage.objects.count() == left
    assert not InboundMessage.objects.filter(signed=True).exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--older-than", "29"], "between 30 and"),
        (["--older-than", "-1"], "between 30 and"),
        (["--older-than", "99999999"], "between 30 and"),
        (["--older-than", "soon"], "invalid int value"),
        ([], "older-than"),
        (["--older-than", "90", "--refused-older-than", "0"], "refused-older-than must be between 1 and"),
    ],
)
def test_wrong_arguments(words, complaint):
    InboundMessageFactory(received_at=OLD)
    with pytest.raises(CommandError, match=complaint):
        call_command("prune", *words)
    assert InboundMessage.objects.count() == 1
