"""Idempotency keys (contract 3.5): what creates, cancels or starts a process has a key that can be derived again."""

import uuid
from collections import Counter
from collections.abc import Iterable

from django.conf import settings
from django.db.models import Count

from orders.models import Dispatch, Order, Timeline
from orders.steps import STEPS


def derived_key(number: str, step: str, n: int) -> uuid.UUID:
    """The key of an order's n-th dispatch of a step, counted from 1. The same order meets its own keys after a restore,
    since nothing in it comes from this database."""
    parts = (settings.BBOSS_DOMAIN, settings.BBOSS_ROUTE_VALUE, settings.BBOSS_ENV_FLAG, number, step, str(n))
    return uuid.uuid5(uuid.NAMESPACE_URL, "|".join(parts))


def _free_unused(order: Order) -> list[int]:
    """After a restore a BPM step that was planned anew before it was ever attempted keeps its number: the process that
    the lost stretch started bears it, and another one would start a second. Gives the dispatches that lost it."""
    if not Timeline.objects.exclude(begun_by="").exists():
        return []
    unused = order.dispatches.filter(step=Dispatch.Step.START_BPM, superseded=True, frozen_at=None)
    ids = list(unused.values_list("pk", flat=True))
    for pk in ids:
        Dispatch.objects.filter(pk=pk).update(key=uuid.uuid4())
    return ids


def give_keys(order: Order, rows: Iterable[Dispatch], *, new: bool = False) -> None:
    """Gives unsaved dispatches of a (locked) order their keys; what is not derived keeps its random one.

    `new`: the order has no dispatches yet, so nothing needs to be counted.
    """
    rows = [row for row in rows if STEPS[row.step].derived_key and not row.repeat]
    known: Counter[str] = Counter()
    if rows and not new:
        had = Dispatch.objects.filter(order=order, step__in={row.step for row in rows})
        had = had.exclude(pk__in=_free_unused(order))
        known.update(dict(had.order_by().values("step").annotate(n=Count("pk")).values_list("step", "n")))
    for row in rows:
        known[row.step] += 1
        row.key = derived_key(order.number, row.step, known[row.step])
