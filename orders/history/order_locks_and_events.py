"""Lock orders and steps, derive states from steps, and write events.

`lock_steps` documents the order of the locks. A lock on a trial also protects the steps of all its orders, so code that
plans, undoes or finishes such a step must hold the trial's lock.
"""

import contextlib
import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextvars import ContextVar

from django.db.models import Case, QuerySet, When

from orders.db.compiled_sql import Prepared, insert_rows, update_rows
from orders.db.expressions import OneOf
from orders.history.actors import STAFF, account_id_of
from orders.history.log_facts import known_facts
from orders.history.states import StepFacts, derive_state, set_state
from orders.models import BillingRecord, Dispatch, Order, OrderEvent
from orders.restore.detect_restore import remember
from orders.rules.steps import FIXES
from orders.texts.errors import OrderUnknownError

TRIALS_FIRST = Case(When(kind=Order.Kind.TRIAL, then=0), default=1)
LOCKED = Prepared(
    lambda: (
        Order.objects.filter(OneOf("pk", "ids"))
        .order_by(TRIALS_FIRST, "pk")
        .select_for_update(no_key=True)
        .defer("content")
    )
)
ORDERS_OF = Prepared(
    lambda: Dispatch.objects.filter(OneOf("pk", "ids")).order_by().values_list("order_id", "order__trial_id")
)
LOCKED_STEPS = Prepared(
    lambda: Dispatch.objects.filter(OneOf("pk", "ids")).order_by("pk").select_for_update(no_key=True).defer("payload")
)
STEPS_OF = Prepared(
    lambda: (
        Dispatch.objects.current()
        .filter(OneOf("order_id", "orders"), undo=False, repeat=False)
        .exclude(step__in=FIXES)
        .order_by("position")
        .values_list("order_id", "state", "blocking", "gate", "step")
    )
)
RECORDS = Prepared(lambda: BillingRecord.objects.filter(OneOf("pk", "keys")).order_by())
_noted: ContextVar[dict] = ContextVar("noted in events", default={})  # noqa: B039  nobody changes it


def lock_orders(ids: Iterable[int]) -> dict[int, Order]:
    """Lock the orders with these ids until the transaction ends, and return them by id.

    If a trial is among them, the other orders get it as their `trial`. The lock is FOR NO KEY UPDATE, so that rows with
    a foreign key to an order can still be inserted. SQLite has no row locks, but its IMMEDIATE transactions exclude
    each other.
    """
    orders = {order.pk: order for order in LOCKED(ids=set(ids))}
    for order in orders.values():
        if order.trial_id in orders:
            order.trial = orders[order.trial_id]
    return orders


def lock_steps(ids: Collection[int], among: QuerySet[Dispatch] | None = None) -> list[Dispatch]:
    """Lock steps until the transaction ends, after their trials and orders, and return the steps.

    With `among`, locks and returns only steps that still match this query after their orders are locked. All code that
    locks these rows follows the sequence below, since any other sequence can deadlock.
    """
    # 1. Trials by id, since planning one order can change the steps of other orders of its trial.
    # 2. Other orders by id. Staff, BPM's callbacks and the sweep lock an order before they know which of its steps they
    #    change. Code that locked a step first would wait for them while they wait for that step.
    orders = lock_orders({pk for pair in ORDERS_OF(ids=ids) for pk in pair if pk})
    # 3. Steps by id. A claim locks steps alone, but skips locked steps, so that the claim waits for nobody. A claim
    #    changes `state` and may have taken a step meanwhile, so steps that were read before are read again here.
    rows = (
        LOCKED_STEPS(ids=ids)
        if among is None
        else among.filter(pk__in=ids).select_for_update(no_key=True, of=("self",))
    )
    for row in rows:
        row.order = orders[row.order_id]
    # 4. The runs of refusals (`lock_refused`), which are counted for all orders, and last of all incidents
    #    (`lock_incidents`). All orders of a partner share one lock of incidents, so this lock is held for as short a
    #    time as possible.
    return list(rows)


def find_order(number: str) -> Order:
    """Returns the order with this number and its trial, without a lock. Raises OrderUnknownError."""
    order = Order.objects.filter(number=number).select_related("trial").first()
    if order is None:
        raise OrderUnknownError("order_unknown", number=number)
    return order


def lock_order(number: str) -> Order:
    """Lock the order with this number and its trial, and return the order. Raises OrderUnknownError."""
    ids = Order.objects.filter(number=number).values_list("pk", "trial_id").first()
    if ids is None:
        raise OrderUnknownError("order_unknown", number=number)
    return lock_orders([pk for pk in ids if pk])[ids[0]]


def load_records(keys: Iterable[int]) -> dict[int, BillingRecord]:
    keys = list(keys)
    return {row.pk: row for row in RECORDS(keys=keys)} if keys else {}


@contextlib.contextmanager
def noted_in_events(**facts) -> Iterator[None]:
    """Store these facts, such as the bulk run, in each event built within the block."""
    token = _noted.set(facts)
    try:
        yield
    finally:
        _noted.reset(token)


def event(order: Order | None, kind: str, *, by: str, now: datetime.datetime, **data) -> OrderEvent:
    """Returns an unsaved event. To save several in one INSERT, use `add_events`.

    `data` must be serialisable as JSON. The event also stores the client's address if staff acted on a page without a
    colleague's confirmation (contract 5, `audit`).
    """
    facts = data | _noted.get()
    if by.startswith(f"{STAFF}:"):
        request = known_facts()
        if request.get("caller") and "asker" not in request:
            facts["caller"] = request["caller"]
    return OrderEvent(order=order, kind=kind, actor=by[:160], account_id=account_id_of(by), at=now, data=facts)


def add_event(order: Order | None, kind: str, *, by: str, now: datetime.datetime, **data) -> OrderEvent:
    row = event(order, kind, by=by, now=now, **data)
    row.save()
    remember(row.pk)
    return row


def add_events(rows: Iterable[OrderEvent]) -> None:
    """Save events. After the commit, this machine stores which event is the newest (orders.restore.detect_restore)."""
    rows = list(rows)
    insert_rows(rows)
    if rows:
        remember(rows[-1].pk)


def refresh_states(orders: Iterable[Order], *, now: datetime.datetime, by: str) -> list[Order]:
    """Derive the states of locked orders that are planned or held. Save each changed state with an event, and return
    the changed orders.
    """
    orders = [order for order in orders if order.planned_at or order.held_because]
    steps: dict[int, list[StepFacts]] = defaultdict(list)
    moved = []
    for order_id, *facts in STEPS_OF(orders=[order.pk for order in orders]):
        steps[order_id].append(StepFacts(*facts))
    for order in orders:
        new = derive_state(order, steps[order.pk], now=now)
        if new != order.state:
            moved.append((order, order.state, new))
    if moved:
        save_moves(moved, now=now, by=by)
    return [order for order, _, _ in moved]


def save_moves(moved: list[tuple[Order, str, str]], *, now: datetime.datetime, by: str) -> None:
    """Save new states of locked orders, with an event each. `moved`: (order, old state, new state)."""
    for order, _, new in moved:
        set_state(order, new, at=now)
        if new == Order.State.ACTIVE and not order.live_at:
            order.live_at = now
    update_rows([order for order, _, _ in moved], ["state", "state_since", "held_because", "live_at"])
    add_events(event(order, "state", by=by, now=now, old=old, new=new) for order, old, new in moved)


def move_trial(trial: Order, new: str, *, now: datetime.datetime, by: str) -> None:
    """Set the state of a locked trial and save it, with an event."""
    old = set_state(trial, new, at=now)
    add_event(trial, "state", by=by, now=now, old=old, new=new)
    trial.save(update_fields=["state", "state_since"])
