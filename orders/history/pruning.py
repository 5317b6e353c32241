"""Remove old inbound messages, old attempts of finished orders, and expired rows of the trail (contract section 5,
`prune`; 4, AUDIT_DAYS).

Rows that identify a repeated order are never removed: the order itself, with the hash of its content and its first
transIDH, and the accepted transIDOs. Events and approvals stay too. Rows are removed in small batches, oldest first,
each in a short transaction of its own. Newer rows have greater ids, so the search ends at the first batch without old
rows.
"""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from django.db.models import Exists, Model, OuterRef, QuerySet

from orders.history.order_locks_and_events import add_event
from orders.history.trail_writes import prune_trail
from orders.models import AffectedOrder, Attempt, Dispatch, InboundMessage, Order

ROWS_AT_ONCE = 1000
LEAST_DAYS = 30
REFUSED_DAYS = 180  # default retention of unauthenticated messages, for investigations
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
    """The numbers of rows removed so far. `messages` includes messages of unknown senders and BPM's callbacks."""

    messages: int = 0
    attempts: int = 0
    trail: int = 0


def prune(
    *,
    before: datetime.datetime,
    by: str,
    now: datetime.datetime,
    refused_before: datetime.datetime | None = None,
    callbacks: type[Model],
    on_progress: Callable[[Pruned], None] = lambda _: None,
) -> Pruned:
    """Remove messages received and attempts begun before `before`, and expired rows of the trail (AUDIT_DAYS). Returns
    the numbers.

    For messages without a valid token and signature, the limit is `refused_before` (by default `before`). `callbacks`
    is the model of BPM's messages, which have the same limits. An attempt is removed only if its order is finished and
    has no open incident and no failed or unfinished step. The function can be interrupted, repeated, and run during
    intake.
    """
    pruned = Pruned()
    for kept, (signed, moment) in product(
        (InboundMessage, callbacks), ((True, before), (False, refused_before or before))
    ):
        for rows in _batches(kept._default_manager.filter(signed=signed), "received_at", moment):
            pruned.messages += rows.delete()[0]
            on_progress(pruned)
    for rows in _batches(Attempt.objects.all(), "started_at", before):
        pruned.attempts += _of_finished(rows).delete()[1].get("orders.Attempt", 0)
        on_progress(pruned)
    pruned.trail = prune_trail(now=now)
    add_event(None, "pruned", by=by, now=now, before=before.isoformat(), **vars(pruned))
    return pruned


def _batches(rows: QuerySet, moment: str, before: datetime.datetime) -> Iterator[QuerySet]:
    """Read the rows by id, in batches of ROWS_AT_ONCE. Yield the old rows of each batch, until a batch has none."""
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", moment)[:ROWS_AT_ONCE]):
        old = [pk for pk, at in batch if at < before]
        if not old:
            return
        yield rows.filter(pk__in=old)
        last = batch[-1][0]


def _of_finished(attempts: QuerySet[Attempt]) -> QuerySet[Attempt]:
    order = OuterRef("dispatch__order")
    return attempts.filter(
        ~Exists(AffectedOrder.objects.unresolved().filter(order=order)),
        ~Exists(Dispatch.objects.current().filter(order=order).exclude(state__in=AT_REST)),
        dispatch__order__state__in=FINISHED,
    ).order_by()
