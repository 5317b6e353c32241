"""The only module that makes waiting steps due (contract 3.9, One trigger and One line per trial)."""

import datetime
import functools
import random
from collections.abc import Collection, Iterator

from django.db import transaction
from django.db.models import BigIntegerField, DateTimeField, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from orders.db.compiled_sql import Prepared, Slot, update_rows
from orders.db.expressions import OneOf
from orders.models import Dispatch, Order
from orders.rules.steps import FIXES

NOT_FINISHED = [
    Dispatch.State.WAITING,
    Dispatch.State.DUE,
    Dispatch.State.SENDING,
    Dispatch.State.RETRYING,
    Dispatch.State.FAILED,
]
DROPPED_BY_UNDO = Q(undo=False, order__undo_since__isnull=False) & (
    Q(state=Dispatch.State.FAILED) | ~Q(channel=Dispatch.Channel.BILLING)
)
BLOCKING = ~(DROPPED_BY_UNDO | Q(state=Dispatch.State.FAILED) & (Q(step__in=FIXES) | Q(repeat=True)))
GIVEN_UP_DELETION = Q(state=Dispatch.State.GIVEN_UP, undo=True)  # its order waits until its records are settled
STEPS_AT_ONCE, STEPS_A_QUERY = 5000, 500  # the most waiting steps that a call, and a query, checks
NOW = Slot("now", DateTimeField())
STOPPED = Q(state=Dispatch.State.FAILED) | Q(state=Dispatch.State.RETRYING, step=Dispatch.Step.CHECK_FILES)


def release(
    *,
    now: datetime.datetime,
    order_ids: Collection[int] | None = None,
    serial_trial_ids: Collection[int] = (),
    dated: bool = False,
) -> int:
    """Makes waiting steps due if they may start now. Returns the number of these steps.

    `order_ids=None` means all orders, but at most STEPS_AT_ONCE steps. With `dated`, makes only steps due that waited
    for a start time.

    A step may start when the blocking steps before it are done, its gate (approval, start day) is open, and its order
    has no undo mark. In addition, all earlier steps of its trial's line (all steps on the trial's records) must be
    finished. The steps are locked during this check. So the schedule, the sweep, the command and a finished step may
    call this function at the same time.
    """
    if dated:
        return _make_due(READY_BY_DATE, now=now)
    if order_ids is not None:
        return _make_due(READY_OF_ORDERS, now=now, orders=order_ids, serial_trial_ids=serial_trial_ids)
    return sum(_make_due(READY_AMONG, now=now, ids=part) for part in _parts_of_all())


def _parts_of_all() -> Iterator[list[int]]:
    """Returns the ids of waiting steps, in parts small enough for the database to use indexes. If there are more than
    STEPS_AT_ONCE, returns that many, beginning with a random step."""
    ids = list(_waiting().order_by("pk").values_list("pk", flat=True))
    first = random.randrange(len(ids)) if len(ids) > STEPS_AT_ONCE else 0
    ids = (ids[first:] + ids[:first])[:STEPS_AT_ONCE]
    return (ids[start : start + STEPS_A_QUERY] for start in range(0, len(ids), STEPS_A_QUERY))


@transaction.atomic
def _make_due(ready: Prepared, *, now: datetime.datetime, **values) -> int:
    rows = ready(now=now, **values)
    for row in rows:
        row.state, row.next_try_at = Dispatch.State.DUE, row.next_try_at or now
    update_rows(rows, ["state", "next_try_at"])
    return len(rows)


def in_front_of(row: Dispatch) -> list[Dispatch]:
    """Returns the unfinished steps that a waiting step waits for. The steps of its own order come first, then the steps
    of other orders in its trial's line."""
    own = Dispatch.objects.current().filter(order=row.order_id, position__lt=row.position, blocking=True)
    own = own.filter(BLOCKING & Q(state__in=NOT_FINISHED) | GIVEN_UP_DELETION).order_by("position", "pk")
    if row.lane is None:
        return list(own.defer("payload"))
    line = _line(row.lane, row.place or row.pk).exclude(order=row.order_id).order_by("turn")
    return [*own.defer("payload"), *line.select_related("order").defer("payload", "order__content")]


def stopped_in_line() -> QuerySet[Dispatch]:
    """Returns the steps that block a trial's line. These are failed steps, and undo steps after a failed or given-up
    undo step."""
    return _unfinished().filter(_holds_up(), lane__isnull=False)


def blocked_steps() -> QuerySet[Dispatch]:
    """Returns the waiting steps that are blocked by another order's step in their trial's line. `blocker` is the id of
    the blocking step."""
    return _blocked_steps().all()


@functools.cache
def _blocked_steps() -> QuerySet[Dispatch]:
    """Returns the query of `blocked_steps`. The query is cached: each page uses it several times, and building it takes
    as long as running it."""
    front = _before_in_line().filter(_holds_up()).exclude(order_id=OuterRef("order_id")).order_by("turn")
    waiting = Dispatch.objects.current().filter(state=Dispatch.State.WAITING)
    waiting = waiting.filter(lane__in=stopped_in_line().order_by().values("lane"))
    return waiting.annotate(blocker=Subquery(front.values("pk")[:1])).filter(blocker__isnull=False)


def _holds_up() -> Q:
    return Q(state=Dispatch.State.FAILED) | Q(Exists(stopped_before()), state=Dispatch.State.WAITING, undo=True)


def stopped_before() -> QuerySet[Dispatch]:
    """Returns the failed or given-up undo steps before the outer query's undo step, in the same order."""
    before = Dispatch.objects.current().filter(order=OuterRef("order_id"), position__lt=OuterRef("position"))
    return before.filter(GIVEN_UP_DELETION | Q(state=Dispatch.State.FAILED, undo=True, blocking=True))


def is_blocked() -> Q:
    """Returns the condition for waiting steps behind a step that has failed or has found wrong files. Such a step does
    not continue by itself."""
    return Q(Exists(_before_in_order().filter(STOPPED))) | is_blocked_by_others()


def is_blocked_by_others() -> Q:
    """Returns the condition for waiting steps that are blocked by an earlier step of their trial's line (see
    `is_blocked`)."""
    return Q(Exists(_before_in_line().filter(STOPPED)))


def _waiting() -> QuerySet[Dispatch]:
    return Dispatch.objects.current().filter(state=Dispatch.State.WAITING)


def _ready(among: Q) -> QuerySet[Dispatch]:
    """Returns the waiting steps that may start, locked. Steps that other transactions have locked are skipped: these
    transactions make the steps due or close them."""
    ready = _waiting().filter(
        among,
        Q(gate=Dispatch.Gate.NONE)
        | Q(gate=Dispatch.Gate.START, not_before__lte=NOW)
        | Q(gate=Dispatch.Gate.APPROVAL) & Exists(_order().filter(decision=Order.Decision.PASS)),
        Q(undo=True) | Exists(_order().filter(undo_since=None)),
        ~Exists(_before_in_order()),
        ~Exists(_before_in_line()),
    )
    return ready.order_by().only("state", "next_try_at").select_for_update(skip_locked=True, no_key=True)


def _order() -> QuerySet[Order]:
    return Order.objects.filter(pk=OuterRef("order_id"))


def _before_in_order() -> QuerySet[Dispatch]:
    """Returns the unfinished blocking steps of the same order before the outer query's step."""
    before = Dispatch.objects.filter(order_id=OuterRef("order_id"), position__lt=OuterRef("position"), blocking=True)
    return before.current().filter(BLOCKING & Q(state__in=NOT_FINISHED) | GIVEN_UP_DELETION)


def _before_in_line() -> QuerySet[Dispatch]:
    return _line(OuterRef("lane"), Coalesce(OuterRef("place"), OuterRef("pk"), output_field=BigIntegerField()))


def _line(lane, turn) -> QuerySet[Dispatch]:
    """Returns the unfinished steps of a trial's line before a turn.

    A step's turn is its place or, without a place, its id. Ids follow the order of arrival, because ids are assigned
    while the trial is locked.
    """
    turns = Coalesce("place", "pk", output_field=BigIntegerField())
    return _unfinished().filter(lane=lane).annotate(turn=turns).filter(turn__lt=turn)


def _unfinished() -> QuerySet[Dispatch]:
    """Returns the steps that others wait for.

    If an order is being undone, its forward steps count only if they are billing calls with an open outcome. Failed
    forward steps block nothing, and calls to BPM in progress block nothing either. A failed fix never blocks, since the
    next comparison checks its records again. A failed forced repeat never blocks, since the earlier acceptance remains
    valid.
    """
    return Dispatch.objects.current().filter(BLOCKING, state__in=NOT_FINISHED)


READY_OF_ORDERS = Prepared(lambda: _ready(OneOf("order_id", "orders") | OneOf("lane", "serial_trial_ids")))
READY_AMONG = Prepared(lambda: _ready(Q(OneOf("pk", "ids"))))
READY_BY_DATE = Prepared(lambda: _ready(Q(not_before__lte=NOW)))
