"""Removes old inbound messages, and old attempts of finished orders (contract section 5, `prune`).

What a repeat of an order needs stays for good: the order with its content's hash and first transIDH, and the accepted
transIDOs. Events and approvals stay too. Rows go in small batches, each a short transaction of its own, oldest first;
ids rise with time, so the walk ends where nothing is old enough any more.
"""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet

from orders.models import AffectedOrder, Attempt, Dispatch, InboundMessage, Order
from orders.services.events import add_event

BATCH = 1000
LEAST_DAYS = 30
REFUSED_DAYS = 180  # how long what strangers sent is kept for whoever looks into it, unless another time is given
FINISHED = [
    Order.State.ACTIVE,
    Order.State.CONVERTED,
    Order.State.ENDED,
    Order.State.APPLIED,
    Order.State.REJECTED,
    Order.State.WITHDRAWN,
]
AT_REST = [Dispatch.State.DONE, Dispatch.State.CLOSED, Dispatch.State.UNDONE]


@dataclass
class Pruned:
    """What was removed so far. `messages`: strangers' among them."""

    messages: int = 0
    attempts: int = 0


def prune(
    *,
    before: datetime.datetime,
    by: str,
    now: datetime.datetime,
    refused_before: datetime.datetime | None = None,
    on_progress: Callable[[Pruned], None] = lambda _: None,
) -> Pruned:
    """Removes messages received, and attempts begun, before that moment; returns how many of each.

    Messages without a right token and signature go where they are from before `refused_before` (the same, if None).
    An attempt goes only with an order that is finished, has no open incident and no step that is still to be done or
    has failed. Safe to stop at any moment, to repeat, and to run while orders come in.
    """
    pruned = Pruned()
    for signed, moment in ((True, before), (False, refused_before or before)):
        for rows in _batches(InboundMessage.objects.filter(signed=signed), "received_at", moment):
            pruned.messages += rows.delete()[0]
            on_progress(pruned)
    for rows in _batches(Attempt.objects.all(), "started_at", before):
        pruned.attempts += _of_finished(rows).delete()[0]
        on_progress(pruned)
    add_event(None, "pruned", by=by, now=now, before=before.isoformat(), **vars(pruned))
    return pruned


def _batches(rows: QuerySet, moment: str, before: datetime.datetime) -> Iterator[QuerySet]:
    """The old ones among each BATCH rows, by id, until a whole batch is younger."""
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", moment)[:BATCH]):
        old = [pk for pk, at in batch if at < before]
        if not old:
            return
        yield rows.filter(pk__in=old)
        last = batch[-1][0]


def _of_finished(attempts: QuerySet[Attempt]) -> QuerySet[Attempt]:
    order = OuterRef("dispatch__order")
    return attempts.filter(
        ~Exists(AffectedOrder.objects.filter(order=order, closed_at=None)),
        ~Exists(Dispatch.objects.filter(order=order, superseded=False).exclude(state__in=AT_REST)),
        dispatch__order__state__in=FINISHED,
    ).order_by()
