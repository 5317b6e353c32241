"""How rows are locked: always orders first, in order of their numbers, so that no two transactions wait in a ring."""

from collections.abc import Iterable

from orders.errors import OrderUnknownError
from orders.models import Order


def lock_orders(ids: Iterable[int]) -> dict[int, Order]:
    """The orders of these ids, locked until the transaction ends, by id.

    NO KEY: rows that only point at an order (attempts, events) may still be inserted meanwhile. SQLite has no row
    locks; its IMMEDIATE transactions exclude each other anyway.
    """
    rows = Order.objects.filter(pk__in=set(ids)).order_by("pk").select_for_update(no_key=True)
    return {order.pk: order for order in rows}


def lock_order(number: str) -> Order:
    """The order of this number and its trial, both locked. Raises OrderUnknownError."""
    ids = Order.objects.filter(number=number).values_list("pk", "trial_id").first()
    if ids is None:
        raise OrderUnknownError(f"order {number} is unknown")
    rows = lock_orders([pk for pk in ids if pk])
    order = rows[ids[0]]
    order.trial = rows.get(order.trial_id)
    return order
