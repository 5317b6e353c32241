"""Since when orders are in their states. Orders that got theirs before the desk noted it are told by their events."""

import datetime
import functools
from collections.abc import Collection

from django.db.models import Exists, Max, OuterRef, Q

from orders.models import Order, OrderEvent

MOVE = "state"  # the kind of event that each move writes


def is_in_state_since(moment: datetime.datetime) -> Q:
    """Orders that got their present state at this moment or before."""
    later = OrderEvent.objects.filter(order=OuterRef("pk"), kind=MOVE, at__gt=moment)
    noted, unnoted = Q(state_since__lte=moment), Q(state_since=None, received_at__lte=moment)
    return noted | unnoted & ~Exists(later)


def prepare_since(orders: Collection[Order]) -> None:
    """Lets `since_of` tell the moment of each order: one query for all, and only if somebody asks for one not noted."""
    unnoted = [order.pk for order in orders if order.state_since is None]
    moves = OrderEvent.objects.filter(order__in=unnoted, kind=MOVE).order_by().values_list("order").annotate(Max("at"))
    last = functools.cache(lambda: dict(moves))
    for order in orders:
        order.last_moves = last


def since_of(order: Order) -> datetime.datetime:
    """Since when the order is in its state."""
    return order.state_since or order.last_moves().get(order.pk, order.received_at)
