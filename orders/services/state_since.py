"""Notes since when orders are in their state, for those that got it before the desk noted it.

The worker does it behind the sweep's deliveries, a short while at a time, the newest orders first. What is left to do
follows from the rows themselves, so it may be killed at any moment.
"""

import datetime
import time
from collections.abc import Callable

from django.db import transaction
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce

from orders.models import Order, OrderEvent
from orders.states import note_since

BATCH = 200  # orders of a statement
AS_IN_THE_INDEX = (F("state_since").desc(nulls_last=True), "-pk")  # else PostgreSQL may look through all orders


def fill_state_since(*, now: datetime.datetime, seconds: float, may_go_on: Callable[[], bool] = lambda: True) -> int:
    """Notes it for about `seconds`. `may_go_on` is asked before each batch. Returns of how many orders it was noted."""
    until, count, done = time.monotonic() + seconds, 0, BATCH
    while done and time.monotonic() < until and may_go_on():
        done = _fill_some()
        count += done
    return count


def _fill_some() -> int:
    """The next BATCH of them. Rows that somebody else works on now come later: they are not waited for."""
    left = Order.objects.filter(state_since=None).order_by(*AS_IN_THE_INDEX)
    ids = list(left.values_list("pk", flat=True)[:BATCH])
    moves = OrderEvent.objects.filter(order=OuterRef("pk"), kind="state").order_by("-pk").values("at")[:1]
    with transaction.atomic():
        free = Order.objects.filter(pk__in=ids).select_for_update(skip_locked=True, no_key=True).values("pk")
        return note_since(Order.objects.filter(pk__in=free), Coalesce(Subquery(moves), F("received_at")))
