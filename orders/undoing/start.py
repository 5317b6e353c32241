"""Compensation (话单异常删除兜底): stops an order and undoes what it sent (contract 3.9, Compensation's order; 3.10).

The order first gets its undo mark. From then on no forward step is claimed. Steps that were never started are closed.
Undo steps are ordinary dispatches after the plan's steps (undo_steps.py). When all undo steps are done, the order gets
the state in `undo_to`, and its claim is released (finish.py).
"""

import datetime
from collections.abc import Collection

from django.db import transaction
from django.db.models import Q
from django_q.models import Schedule

from orders.history.order_locks_and_events import add_event
from orders.history.states import set_held, set_state, set_undo_mark
from orders.incidents.incident_codes import BILLED_NOT_ACTIVE, DEPENDENCY_GONE, DIFFERENCE
from orders.incidents.incidents import close_troubles, end_built_upon, end_settled
from orders.models import ASKS_START, Attempt, BillingRecord, Dispatch, Order
from orders.outbox.enqueue import enqueue, schedule_name, wake
from orders.outbox.release_steps import release
from orders.rules.steps import FIXES, Channel, Phase
from orders.trials.trial_state_writes import reshape
from orders.undoing.late import end_question
from orders.undoing.undo_steps import plan_undo

OPEN_ATTEMPT = Attempt.Outcome.OPEN
STILL_WRONG = [BILLED_NOT_ACTIVE, DIFFERENCE, DEPENDENCY_GONE]  # not closed by a withdrawal: the books may be wrong


def begin_undo(
    order: Order, *, ending: str, why: str, by: str, now: datetime.datetime, how: str = "", but: Collection[int] = ()
) -> bool:
    """Sets the undo mark and plans the undo steps. The order and its trial must be locked. Returns True if there are
    undo steps. If the order has an undo mark already, changes its `ending` instead (`_change_ending`)."""
    if order.undo_since:
        return _change_ending(order, ending, now=now, by=by, how=how)
    old = set_state(order, Order.State.COMPENSATING, at=now)
    set_undo_mark(order, now)
    set_held(order, Order.Held.NOT)
    order.undo_to, order.in_effect = ending, False
    order.save(update_fields=["undo_since", "undo_to", "held_because", "state", "state_since", "in_effect"])
    # Before the undoing is planned: steps never sent need no undo step.
    closed = close_never_begun(order)
    # The order is no longer in effect, so the trial's shape changes.
    if order.kind == Order.Kind.CHANGE and order.trial:
        reshape(order.trial, now=now, by=by)
    if order.start_at:
        Schedule.objects.filter(name=schedule_name(order)).delete()
    if order.kind == Order.Kind.ACTIVATION:
        end_built_upon(order, now=now)
        if order.undo_asked_at and not how:  # late only by a start that its records do not have
            end_question(order, now=now, by=by)
    # The undo steps are planned once no step of the plan can begin any more.
    steps = plan_undo(order, now, how=how, but=but)
    add_event(order, "undo_mark", by=by, now=now, why=why, closed=closed, steps=[row.step for row in steps])
    add_event(order, "state", by=by, now=now, old=old, new=order.state)
    enqueue(steps)
    # After the plan: incidents of steps to be undone stay open.
    end_settled([order], now=now, by=by)
    # Comes last, since closed steps no longer block the undoing or the trial's line.
    release(now=now, order_ids=[order.pk], serial_trial_ids=[order.trial_id or order.pk])
    wake()
    return bool(steps)


def _change_ending(order: Order, ending: str, *, now: datetime.datetime, by: str, how: str) -> bool:
    """Changes the ending of an undone order. A withdrawal also undoes the records that an earlier undoing left
    (contract 3.10). Returns True if there are new undo steps."""
    left = _left_there(order) if ending == Order.State.WITHDRAWN else False
    if order.state == Order.State.COMPENSATING or left:
        old, order.undo_to = set_state(order, Order.State.COMPENSATING, at=now), ending
        order.save(update_fields=["state", "state_since", "undo_to"])
        if old != order.state:
            add_event(order, "state", by=by, now=now, old=old, new=order.state)
    if not left:
        if order.state == Order.State.COMPENSATING:  # still being undone; a refused step may have been closed
            end_settled([order], now=now, by=by)
        else:
            give_ending(order, ending, now=now, by=by)
        return False
    order.dispatches.current().filter(undo=True, state__in=[Dispatch.State.GIVEN_UP, Dispatch.State.WAITING]).update(
        superseded=True, state=Dispatch.State.CLOSED
    )
    enqueue(plan_undo(order, now, how=how))
    end_settled([order], now=now, by=by)
    release(now=now, order_ids=[order.pk], serial_trial_ids=[order.trial_id or order.pk])
    wake()
    return True


def _left_there(order: Order) -> bool:
    """Returns True if an activation's records may still exist although no unfinished step undoes them."""
    rows = order.dispatches.current().filter(undo=True, channel=Channel.BILLING)
    going_on = rows.filter(
        state__in=[Dispatch.State.DUE, Dispatch.State.SENDING, Dispatch.State.RETRYING, Dispatch.State.FAILED]
    ).exists()
    there = order.billing_records.filter(state__in=BillingRecord.THERE)
    return order.kind == Order.Kind.ACTIVATION and not going_on and there.exists()


def give_ending(order: Order, ending: str, *, now: datetime.datetime, by: str) -> None:
    """Sets the state of a (locked) order after its undoing. Records that were never sent count as deleted. If the order
    is withdrawn, its incidents are closed, except STILL_WRONG. A compensated order may be reopened."""
    old, order.undo_to = set_state(order, ending, at=now), ""
    set_held(order, Order.Held.NOT)
    order.save(update_fields=["state", "state_since", "undo_to", "undo_since", "held_because"])
    if old != ending:
        add_event(order, "state", by=by, now=now, old=old, new=ending)
    # a new plan resets them
    order.billing_records.filter(state=BillingRecord.State.TO_SEND).update(state=BillingRecord.State.DELETED)
    if ending == Order.State.WITHDRAWN:
        close_troubles(order, now=now, by=by, but=STILL_WRONG)


def close_never_begun(order: Order) -> int:
    """Closes steps that were never attempted, and steps with an outcome that no longer matters. Returns the number of
    closed steps. Call `release` afterwards.

    A failed move of the start is closed too, together with the query about the move. The verifications after the
    undoing take their place (contract 3.9, 18).
    """
    rows = Dispatch.objects.current().filter(order=order, undo=False, position__lt=Phase.AFTER)
    never = Q(state__in=[Dispatch.State.WAITING, Dispatch.State.DUE], attempts=0)
    needless = Q(state__in=[Dispatch.State.WAITING, Dispatch.State.DUE, Dispatch.State.RETRYING]) & ~Q(
        channel=Channel.BILLING, may_have_acted=True
    )
    moved = Q(step=Dispatch.Step.MOVE_START, state=Dispatch.State.FAILED)
    moved |= ASKS_START & Q(state__in=[Dispatch.State.RETRYING, Dispatch.State.FAILED])
    return rows.filter(never | needless | moved).update(state=Dispatch.State.CLOSED, next_try_at=None)


def close_refused(order: Order) -> int:
    """Closes the steps of a withdrawn order that were refused for good and never acted. No other step waits for these
    steps."""
    rows = Dispatch.objects.filter(order=order, state=Dispatch.State.FAILED, may_have_acted=False, undo=False)
    return rows.filter(position__lt=Phase.AFTER).exclude(step__in=FIXES).update(state=Dispatch.State.CLOSED)


@transaction.atomic
def close_abandoned(*, now: datetime.datetime) -> int:
    """Closes calls of dead workers if the order is undone or planned again. Billing calls are not closed. Returns the
    number of closed calls."""
    left = Q(order__undo_since__isnull=False) | Q(superseded=True)
    dead = Dispatch.objects.filter(
        left, state=Dispatch.State.SENDING, next_try_at__lte=now, undo=False, position__lt=Phase.AFTER
    ).exclude(channel=Channel.BILLING)
    ids = list(dead.order_by("pk").values_list("pk", flat=True)[:500])
    if not ids:
        return 0
    lost = Attempt.objects.filter(dispatch__in=ids, outcome=OPEN_ATTEMPT)
    lost.update(
        outcome=Attempt.Outcome.LOST, finished_at=now, error="the worker died; the order is undone or planned anew"
    )
    closing = Dispatch.objects.filter(pk__in=ids, state=Dispatch.State.SENDING, next_try_at__lte=now)
    number = closing.update(state=Dispatch.State.CLOSED, next_try_at=None, lease_token=None, may_have_acted=True)
    end_settled(Order.objects.filter(dispatches__in=ids).distinct().defer("content"), now=now, by="sweep")
    return number
