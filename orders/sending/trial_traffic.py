"""Stores the traffic of trials that the big-data side reports (contract 3.3)."""

import datetime
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction

from orders.db.compiled_sql import insert_rows
from orders.history.order_locks_and_events import add_events, event, lock_orders
from orders.models import Dispatch, Order, TrialUsage
from orders.outbox.enqueue import build_step, enqueue, wake
from orders.outbox.outcome import Outcome
from orders.rules.steps import Phase
from orders.texts.errors import NotAllowedError

LIMIT = 1e300
ORDERS_AT_ONCE = 500


def usage_rows(trial_id: int, rows: list[dict], now: datetime.datetime) -> list[TrialUsage]:
    """Returns the rows to store. An entry without a number in `dataflow` is left out."""
    return [
        TrialUsage(
            trial_id=trial_id,
            product_id=str(row.get("productId", ""))[:64],
            enterprise_id=str(row.get("enterpriseId", ""))[:64],
            data_flow=float(row["dataflow"]),
            asked_at=now,
        )
        for row in rows
        if _is_number(row.get("dataflow"))
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LIMIT < value < LIMIT  # excludes NaN


def write_usage(rows: Iterable[Dispatch], outcomes: dict[int, Outcome], *, now: datetime.datetime) -> None:
    """Stores the traffic that these steps have fetched."""
    insert_rows(
        one
        for row in rows
        for one in usage_rows(row.order.trial_id or row.order_id, outcomes[row.pk].data.get("usage", []), now)
    )


def store_usage(trial: Order, rows: list[dict], *, now: datetime.datetime) -> list[TrialUsage]:
    return TrialUsage.objects.bulk_create(usage_rows(trial.pk, rows, now))


def ask_for_usage(*, by: str, now: datetime.datetime, numbers: list[str] | None = None, reason: str = "") -> int:
    """Queues a traffic query for these trials, or for all running trials. Skips trials with an open query. Returns the
    number of queued queries, which is 0 if the partner has no such call."""
    if not settings.PARTNERS.bigdata.traffic.path:
        return 0
    trials = Order.objects.filter(kind=Order.Kind.TRIAL)
    trials = trials.filter(state=Order.State.TRIALING) if numbers is None else trials.filter(number__in=numbers)
    step = Dispatch.Step.FETCH_USAGE
    busy = Dispatch.objects.open().filter(step=step)
    about = {"reason": reason} if reason else {}
    asked = 0
    waiting = list(trials.exclude(pk__in=busy.values("order_id")).values_list("pk", flat=True))
    for start in range(0, len(waiting), ORDERS_AT_ONCE):
        with transaction.atomic():
            locked = lock_orders(waiting[start : start + ORDERS_AT_ONCE])
            taken = set(busy.filter(order__in=locked).values_list("order_id", flat=True))  # by others, meanwhile
            batch = [trial for pk, trial in locked.items() if pk not in taken]
            enqueue(build_step(trial, step, now=now, due=True, position=Phase.AFTER, plan=1) for trial in batch)
            add_events(event(trial, "usage_asked", by=by, now=now, **about) for trial in batch)
        asked += len(batch)
    if asked:
        wake()
    return asked


def why_not_ask(order: Order) -> NotAllowedError | None:
    """Returns the reason why traffic can't be queried for this order, or None if the order is a trial that has been
    planned."""
    if not settings.PARTNERS.bigdata.traffic.path:
        return NotAllowedError("usage_no_call")
    if order.kind != Order.Kind.TRIAL:
        return NotAllowedError("usage_no_trial")
    return None if order.planned_at else NotAllowedError("usage_not_begun")
