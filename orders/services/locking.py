"""How rows are locked: trials first, then the other orders, each by id, so that no two transactions wait in a ring.

After the orders come their dispatches, then incidents. A trial's lock is the lock of its line: whoever plans, undoes or
finishes a step of one of its orders holds it.
"""

from collections.abc import Iterable

from django.db.models import Case, When

from orders.errors import OrderUnknownError
from orders.models import Order

TRIALS_FIRST = Case(When(kind=Order.Kind.TRIAL, then=0), default=1)


def lock_orders(ids: Iterable[int]) -> dict[int, Order]:
    """The orders of these ids, locked until the transaction ends, by id; a trial among them is its followers' `trial`.

    NO KEY: rows that only point at an order (attempts, events) may still be inserted meanwhile. SQLite has no row
    locks; its IMMEDIATE transactions exclude each other anyway.
    """
    rows = Order.objects.filter(pk__in=set(ids)).order_by(TRIALS_FIRST, "pk").select_for_update(no_key=True)
    orders = {order.pk: order for order in rows.defer("content")}
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
