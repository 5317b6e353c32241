"""Since when orders are in their states. Of orders from before the desk noted it, it is not known until a worker has
noted it (orders/services/office/state_since.py)."""

import datetime
from collections.abc import Collection

from django.db.models import Q

from orders.models import Order


def is_in_state_since(moment: datetime.datetime) -> Q:
    """Orders that are known to have got their present state at this moment or before."""
    return Q(state_since__lte=moment)


def prepare_since(orders: Collection[Order]) -> None:
    """What `since_of` needs for these orders: nothing any more."""


def since_of(order: Order) -> datetime.datetime | None:
    """Since when the order is in its state, if that is known."""
    return order.state_since
