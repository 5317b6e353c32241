"""Locks orders, derives their states from their steps, and writes their events.

Rows are always locked in the same sequence, so that transactions don't wait for each other in a ring: trials, then the
other orders, each by id, then their dispatches, then incidents. A trial's lock is also the lock of its line. Whoever
plans, undoes or finishes a step of one of its orders holds it.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Case, When

from orders.db.compiled_sql import OneOf, Prepared, insert_rows, update_rows
from orders.errors import OrderUnknownError
from orders.local_time import SHANGHAI
from orders.models import BillingRecord, Dispatch, Order, OrderEvent, TrialClaim
from orders.restored_guard import remember
from orders.states import StepFacts, derive_state, set_state
from orders.steps import FIXES

State = Order.State
TRIALS_FIRST = Case(When(kind=Order.Kind.TRIAL, then=0), default=1)
LOCKED = Prepared(
    lambda: (
        Order.objects.filter(OneOf("pk", "ids"))
        .order_by(TRIALS_FIRST, "pk")
        .select_for_update(no_key=True)
        .defer("content")
    )
)
STEPS_OF = Prepared(
    lambda: (
        Dispatch.objects.current()
        .filter(OneOf("order_id", "orders"), undo=False, repeat=False)
        .exclude(step__in=FIXES)
        .order_by("position")
        .values_list("order_id", "state", "blocking", "gate")
    )
)
CONVERTIBLE = {State.TRIALING, State.IN_PROGRESS, State.FAILED, State.ENDED, State.WITHDRAWN}


def lock_orders(ids: Iterable[int]) -> dict[int, Order]:
    """Locks the orders of these ids until the transaction ends. Returns them by id.

    If a trial is among them, it is the `trial` of its other orders. NO KEY: rows that only point at an order (attempts,
    events) may still be inserted meanwhile. SQLite has no row locks, but its IMMEDIATE transactions exclude each other.
    """
    orders = {order.pk: order for order in LOCKED(ids=set(ids))}
    for order in orders.values():
        if order.trial_id in orders:
            order.trial = orders[order.trial_id]
    return orders


def lock_order(number: str) -> Order:
    """The order of this number and its trial, both locked. Raises OrderUnknownError."""
    ids = Order.objects.filter(number=number).values_list("pk", "trial_id").first()
    if ids is None:
        raise OrderUnknownError("order_unknown", number=number)
    return lock_orders([pk for pk in ids if pk])[ids[0]]


def event(order: Order | None, kind: str, *, by: str, now: datetime.datetime, **data) -> OrderEvent:
    """Makes an event without saving it, so that a batch is one INSERT. `data` must be JSON-able."""
    return OrderEvent(order=order, kind=kind, actor=by[:160], at=now, data=data)


def add_event(order: Order | None, kind: str, *, by: str, now: datetime.datetime, **data) -> OrderEvent:
    """Saves one event."""
    row = event(order, kind, by=by, now=now, **data)
    row.save()
    remember(row.pk)
    return row


def add_events(rows: Iterable[OrderEvent]) -> None:
    """Saves events. Once they are committed, this machine remembers the newest (orders.restored_guard)."""
    rows = list(rows)
    insert_rows(rows)
    if rows:
        remember(rows[-1].pk)


def end_of(order: Order) -> datetime.datetime | None:
    """When the records of a trial or change end: BizEnd 23:59:59. None without one, and for activations."""
    if order.kind == Order.Kind.ACTIVATION or order.biz_end is None:
        return None
    return datetime.datetime.combine(order.biz_end, datetime.time(23, 59, 59), SHANGHAI)


def refresh_states(orders: Iterable[Order], *, now: datetime.datetime, by: str) -> list[Order]:
    """Derives the state of each (locked) order from its steps. Saves changed ones with an event, and returns them."""
    orders = [order for order in orders if order.planned_at or order.held_because]
    steps = _steps_of(orders)
    moved = []
    for order in orders:
        new = derive_state(order, steps[order.pk], now=now)
        if new != order.state:
            moved.append((order, order.state, new))
    if moved:
        _save(moved, now, by)
    return [order for order, _, _ in moved]


def _steps_of(orders: list[Order]) -> dict[int, list[StepFacts]]:
    facts = defaultdict(list)
    for order_id, state, blocking, gate in STEPS_OF(orders=[order.pk for order in orders]):
        facts[order_id].append(StepFacts(state, blocking, gate))
    return facts


def _save(moved: list[tuple[Order, str, str]], now: datetime.datetime, by: str) -> None:
    for order, _, new in moved:
        set_state(order, new)
        if new == State.ACTIVE and not order.live_at:
            order.live_at = now
    update_rows([order for order, _, _ in moved], ["state", "held_because", "live_at"])
    add_events(event(order, "state", by=by, now=now, old=old, new=new) for order, old, new in moved)


def convert_trials(cancelled: Iterable[Dispatch], *, now: datetime.datetime, by: str) -> None:
    """Marks (locked) trials as converted whose records an activation has cancelled."""
    trials = {row.order.trial_id: row.order.trial for row in cancelled if row.order.kind == Order.Kind.ACTIVATION}
    if not trials:
        return
    claimed = TrialClaim.objects.filter(trial__in=trials, released_at=None).values_list("trial_id", flat=True)
    running = [trials[pk] for pk in claimed if trials[pk].state in CONVERTIBLE]
    if running:
        _save([(trial, trial.state, State.CONVERTED) for trial in running], now, by)


def move_trial(trial: Order, new: str, *, now: datetime.datetime, by: str) -> None:
    """Gives a (locked) trial another state, with its event."""
    add_event(trial, "state", by=by, now=now, old=set_state(trial, new), new=new)
    trial.save(update_fields=["state"])


def convert_found_cancelled(trial: Order, *, now: datetime.datetime, by: str) -> None:
    """Marks a (locked) trial as converted if the books show that the claim's holder has cancelled its records.

    The partner's books have just been read. No answer to the cancel has said so.
    """
    if trial.state != State.TRIALING:
        return
    cancelled = trial.billing_records.filter(state=BillingRecord.State.CANCELLED)
    steps = Dispatch.objects.filter(pk__in=cancelled.values("dispatch"), step=Dispatch.Step.CANCEL_TRIAL, undo=False)
    holder = TrialClaim.objects.filter(trial=trial, released_at=None).values("activation")
    if steps.filter(order__in=holder).exists():
        move_trial(trial, State.CONVERTED, now=now, by=by)
