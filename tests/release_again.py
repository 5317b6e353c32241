"""Checks that the quick way to begin a new order's steps has the same result as the general way.

`start_plan` decides before the steps are saved which of them are due. `release` decides this for all other orders in
the database.
"""

from django.db import transaction

from orders.models import Dispatch, Order
from orders.outbox.release_steps import release

State = Dispatch.State


def not_as_released(order: Order) -> str:
    """Compares the steps of an order that has just arrived with the steps as `release` would make them. Returns the
    differences, or "" if there are none.
    """
    steps = Dispatch.objects.filter(order=order, attempts=0, state__in=[State.WAITING, State.DUE]).order_by("pk")
    quick = list(steps.values_list("step", "state", "next_try_at"))
    with transaction.atomic():
        steps.update(state=State.WAITING, next_try_at=None)
        release(now=order.received_at, order_ids=[order.pk])
        general = list(steps.values_list("step", "state", "next_try_at"))
        transaction.set_rollback(True)
    return "" if quick == general else f"{order.number}: {quick} instead of {general}"
