"""Results of the steps that a bulk run resent: counts, and the first orders that are not fixed yet."""

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet

from orders.incidents.order_warnings import mark_orders
from orders.lists.scope import limit
from orders.models import Dispatch, Order
from orders.office.bulk.models import BulkItem, BulkRun
from orders.order_words.error_details import of_step
from orders.texts.incident_texts import Cause, cause_of

BUSY = [Dispatch.State.DUE, Dispatch.State.SENDING, Dispatch.State.RETRYING]
ORDERS_SHOWN = 50
MAX_ORDERS = 10_000  # only the first orders that the run has carried out are read


@dataclass(frozen=True)
class ResentOrder:
    """An order that is not fixed yet. `step` failed again because of `cause`. Both are empty while the step is in
    progress."""

    order: Order
    step: str = ""
    cause: Cause | None = None
    detail: str = ""


@dataclass(frozen=True)
class Outcome:
    """The numbers of orders that are fixed, have failed again, or are in progress. If `looked_at` is set, only this
    number of orders was looked at."""

    fixed: int
    failed: int
    waiting: int
    orders: list[ResentOrder]
    looked_at: int = 0


def outcome_of_resend(run: BulkRun, user) -> Outcome:
    """Returns the results so far, for orders that the user may see. The cost does not grow with the size of the run."""
    sent = BulkItem.objects.filter(run=run, state=BulkItem.State.DONE).order_by("target").values("target")[:MAX_ORDERS]
    steps = Dispatch.objects.current().filter(order__in=sent)
    failed = _orders(steps.filter(state=Dispatch.State.FAILED), user)
    again = Dispatch.objects.current().filter(order=OuterRef("order_id"), state=Dispatch.State.FAILED)
    waiting = _orders(steps.filter(~Exists(again), state__in=BUSY), user)
    bad, busy, all_of_them = failed.count(), waiting.count(), min(run.done, MAX_ORDERS)
    shown = list(failed[:ORDERS_SHOWN])
    shown += list(waiting[: ORDERS_SHOWN - len(shown)])
    looked_at = MAX_ORDERS if run.done > MAX_ORDERS else 0
    return Outcome(max(0, all_of_them - bad - busy), bad, busy, _described(shown), looked_at)


def _orders(steps: QuerySet[Dispatch], user) -> QuerySet:
    return limit(steps, user).order_by("order_id").values_list("order_id", flat=True).distinct()


def _described(ids: list[int]) -> list[ResentOrder]:
    steps = defaultdict(list)
    rows = Dispatch.objects.current().filter(order__in=ids, state=Dispatch.State.FAILED).order_by("pk")
    for row in rows.only("order_id", "step", "state", "error_code", "error", "error_params"):
        steps[row.order_id].append(row)
    orders = Order.objects.defer("content").in_bulk(ids)
    mark_orders(orders.values())
    return [_result(orders[pk], steps[pk]) for pk in ids if pk in orders]


def _result(order: Order, failed: list[Dispatch]) -> ResentOrder:
    if not failed:
        return ResentOrder(order)
    step = failed[0]
    return ResentOrder(order, Dispatch.Step(step.step).label, cause_of(step.error_code), of_step(step))
