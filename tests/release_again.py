"""Holds the quick way to begin a new order's steps equal to the general one.

`start_plan` decides before they are saved which of them are due; `release` decides it in the database, for all others.
"""

from django.db import transaction

from orders.models import Dispatch, Order
from orders.outbox.release_steps import release

State = Dispatch.State


def not_as_released(order: Order) -> str:
    """Returns the differences between the steps of an order that has just come and those that `release` would make. ""
    if they do not."""
    steps = Dispatch.objects.filter(order=order, attempts=0, state__in=[State.WAITING, State.DUE]).order_by("pk")
    quick = list(steps.values_list("step", "state", "next_try_at"))
    with transaction.atomic():
        steps.update(state=State.WAITING, next_try_at=None)
        release(now=order.received_at, order_ids=[order.pk])
        general = list(steps.values_list("step", "state", "next_try_at"))
        transaction.set_rollback(True)
    return "" if quick == general else f"{order.number}: {quick} instead of {general}"
