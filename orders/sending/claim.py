"""Claims due steps for one worker. A step has at most one sender at a time (contract 3.9, Leases and What is frozen
when)."""

import datetime
import functools
import logging
import uuid
from collections.abc import Callable, Collection, Iterable

from django.db import transaction
from django.db.models import DateTimeField, Exists, OuterRef, Q, QuerySet, Subquery

from orders.db.advisory_lock import take_lock
from orders.db.compiled_sql import Prepared, Slot, insert_rows, update_rows
from orders.db.expressions import OneOf
from orders.models import NOTES, Attempt, BillingRecord, Dispatch, Order, Pause
from orders.outbox.billing_effects import ACTED
from orders.outbox.leases import (
    AFTER_WORKER_LOSS,
    NEVER_LOST,
    TAKEN,
    USED_UP,
    fail_lost,
    first_due,
    lost_rows,
    take,
    within_bounds,
)
from orders.outbox.outcome import Work
from orders.outbox.proven_calls import PARTNER_OF, Gate, gate, of_kind
from orders.outbox.record_selection import read_records
from orders.pauses.pause_and_resume import PAUSE_LOCK
from orders.restore.detect_restore import RestoreState, read_restore_state
from orders.rules.steps import DELETIONS, Effect, Phase, Step, channels_of, named
from orders.sending.end_moves import ask_starts
from orders.sending.held_processes import hold_processes, hold_unanswered, is_held
from orders.sending.record import note_losses, record_outcomes
from orders.start_day.move_start import hold_back

logger = logging.getLogger(__name__)
FROZEN = ["payload", "frozen_at", "records", "size", *NOTES]
LOSSES = ["lost", "may_have_acted", "unanswered_at"]
LOOK_UPS = named(effect=Effect.ASK)
NOW = Slot("now", DateTimeField())
PAUSED = Prepared(lambda: Pause.objects.in_force(NOW).order_by().values_list("partner"))
OPEN_ATTEMPT = Attempt.objects.filter(dispatch=OuterRef("pk"), outcome=Attempt.Outcome.OPEN).order_by("-pk")
LOST = Prepared(
    lambda: lost_rows(Dispatch.objects.current().due(NOW), step="step", attempt=Subquery(OPEN_ATTEMPT.values("pk")[:1]))
)
WITH_ORDERS = Prepared(
    lambda: (
        Dispatch.objects.filter(OneOf("pk", "ids"))
        .order_by("next_try_at", "pk")
        .select_related("order", "order__service_type", "order__attribution", "order__trial__attribution")
        .defer("order__content", "order__trial__content")
    )
)

Builder = Callable[[list[Dispatch], datetime.datetime, dict[int, BillingRecord]], dict[int, str | Exception]]


def claim(
    *,
    build: Builder,
    rooms: dict[str, int],
    now: datetime.datetime,
    lease: datetime.timedelta,
    worker: str,
    idle: bool = True,
    lost_first: bool = True,
    down: Collection[str] = (),
    only: int = 0,
) -> list[Work]:
    """Claims due dispatches, the most overdue first, and saves an attempt for each.

    `build` takes the dispatches at their first attempt, T, and the dispatches' records by id. It returns {dispatch id:
    payload}. If a payload can't be built, an Exception takes its place.

    `rooms`: the maximum number of dispatches per partner (bigdata, bpm, files). A claim of several dispatches has at
    most RECORDS_A_CLAIM records or domains in total. Nothing is claimed for a paused partner. Leases start at `now`, so
    the caller must read the clock before the call.

    `idle`: True if the caller has no call in progress. Only an idle caller gets a step that lost its worker. Such a
    step is claimed alone, and the caller sends it before its next claim. `lost_first`: if True, a step that lost its
    worker is claimed before other due steps. If False, such a step is claimed only when no other step is due.

    `down`: the partners whose breaker is open. A move of a start that was never attempted is not claimed while its
    partner's breaker is open.

    `only`: the id of a dispatch that a person sends (contract 7.3). Then no other dispatch is claimed, and holds set by
    the desk are ignored.

    While the database counts as restored, only look-ups are claimed. Afterwards, BPM starts of orders older than the
    restore wait for a person, and billing steps that were attempted before the restore get `ask_first` (contract 3.9,
    17). For an older order, the start is queried at the big-data side before its start day's cancel is sent (3.9, 18).

    The first attempt fixes T (`now`) and the payload. Every later attempt sends the same bytes. If a worker dies, its
    dispatch is due again when the lease has expired, and its open attempt is closed as lost.
    """
    restore = read_restore_state()
    if restore.last_order:
        marks = {"last_order": restore.last_order, "last_event": restore.last_event}
        hold_processes(**marks, now=now)
        ask_starts(**marks, now=now)
    hold_unanswered(now=now)
    # In a transaction of its own: rows that lost their workers too often must not block the claim.
    lost = idle and fail_lost(LOST(now=now), record_outcomes, now=now)
    with transaction.atomic():
        # The pause's lock comes first: a pause waits for this claim, and later claims see it.
        rows = _due(not_paused(rooms, now=now), now, restore, only, lost=lost, lost_first=lost_first)
        if any(row.step == Step.MOVE_START for row in rows):
            rows = hold_back(rows, now=now, down=down)
        if not rows:
            return []
        fresh, again = [], []
        for row in rows:
            (fresh if row.frozen_at is None else again).append(row)
        # T and payload are saved with the attempt, before any call: later tries send the same bytes.
        _freeze(fresh, build, now)
        died = take(rows, until=now + lease)
        lost_ids = {row.pk for row in died}
        note_losses(died, now)
        update_rows(fresh, [*TAKEN, *FROZEN])
        update_rows(again, TAKEN)
        update_rows(died, LOSSES)
        # Saved before the call: without the row it would be unknown that a call may have acted.
        attempts = [_attempt(row, now, worker) for row in rows]
        insert_rows(attempts)
        before = _attempted_before(again, restore)
    return [
        _work(row, attempt, after_loss=row.pk in lost_ids, ask_first=row.pk in before)
        for row, attempt in zip(rows, attempts, strict=True)
    ]


def paused_partners(*, now: datetime.datetime) -> set[str]:
    return set(PAUSED(now=now))


def not_paused(rooms: dict[str, int], *, now: datetime.datetime) -> dict[str, int]:
    """Returns the rooms of partners that are not paused. No pause can start until the claim's transaction has ended."""
    take_lock(PAUSE_LOCK, shared=True)
    paused = paused_partners(now=now)
    return {partner: room for partner, room in rooms.items() if partner not in paused}


def _attempted_before(rows: Iterable[Dispatch], restore: RestoreState) -> set[int]:
    """Returns the billing steps among these rows that were attempted before the database was restored."""
    ids = [row.pk for row in rows if row.channel == Dispatch.Channel.BILLING] if restore.last_attempt else []
    if not ids:
        return set()
    return set(
        Attempt.objects.filter(dispatch__in=ids, pk__lte=restore.last_attempt).values_list("dispatch", flat=True)
    )


def _due(
    rooms: dict[str, int], now: datetime.datetime, restore: RestoreState, only: int, **losses: bool
) -> list[Dispatch]:
    """Returns the most overdue steps of each partner, locked. `losses`: `lost` and `lost_first` of `first_due`."""
    may_go = gate(now=now, past_hold=bool(only))
    if only:
        ids = [pk for partner in rooms for pk in _only_id(partner, now, only, restore.restored, may_go)]
    else:
        ids = first_due(
            lambda after_worker_loss: _due_ids(rooms, now, after_worker_loss, restore.restored, may_go), **losses
        )
    if not ids:
        return []
    rows = WITH_ORDERS(ids=ids)
    if not restore.last_order:
        return rows
    return [row for row in rows if not is_held(row, last_order=restore.last_order, last_event=restore.last_event)]


def _due_ids(
    rooms: dict[str, int], now: datetime.datetime, after_worker_loss: bool, looks: bool, may_go: Gate
) -> list[int]:
    due = []
    for partner, room in rooms.items():
        room = 1 if after_worker_loss else room
        if room:
            found = _longest_due(partner, room, after_worker_loss, looks, may_go.left_out)(now=now)
            for kind in may_go.single:
                if PARTNER_OF[kind] == partner and not (
                    after_worker_loss and _longest_due(partner, 1, False, looks, only=kind)(now=now)
                ):
                    found += _longest_due(partner, 1, after_worker_loss, looks, only=kind)(now=now)
            due += sorted(found)[:room]
    return within_bounds([(pk, size) for _, pk, size in sorted(due)])[: 1 if after_worker_loss else None]


def _only_id(partner: str, now: datetime.datetime, only: int, looks: bool, may_go: Gate) -> list[int]:
    rows = _claimable(partner, now).filter(~USED_UP, Q(step__in=LOOK_UPS) if looks else Q(), pk=only)
    for name in sorted(may_go.shut):
        rows = rows.exclude(of_kind(name))
    return [pk for _, pk, _ in rows]


@functools.cache
def _longest_due(
    partner: str,
    room: int,
    after_worker_loss: bool,
    looks: bool,
    left_out: frozenset[str] = frozenset(),
    only: str = "",
) -> Prepared:
    """Returns a query for (next try, id, size) of the most overdue claimable steps. With `looks`, the query finds only
    look-ups.

    `left_out`: kinds that wait for a proof, and are left out. `only`: the only kind that the query finds.
    """
    kind = (AFTER_WORKER_LOSS if after_worker_loss else NEVER_LOST) & (Q(step__in=LOOK_UPS) if looks else Q())
    for name in sorted(left_out):
        kind &= ~of_kind(name)
    kind &= of_kind(only) if only else Q()
    return Prepared(lambda: _claimable(partner, NOW).filter(kind)[:room])


def _claimable(partner: str, now: Slot | datetime.datetime) -> QuerySet:
    going = Order.objects.filter(pk=OuterRef("order_id"), undo_since=None)
    # Sent despite an undo mark: undo steps, traffic queries, billing calls whose outcome must become known.
    allowed = Q(undo=True) | Q(ACTED, channel=Dispatch.Channel.BILLING) | Q(position__gte=Phase.AFTER) | Exists(going)
    due = Dispatch.objects.current().due(now).filter(allowed, channel__in=channels_of(partner))
    due = due.select_for_update(skip_locked=True).order_by("next_try_at", "pk")
    return due.values_list("next_try_at", "pk", "size")


def _freeze(fresh: list[Dispatch], build: Builder, now: datetime.datetime) -> None:
    """Sets T and payload of rows at their first attempt, without saving them. If the payload of a row can't be built,
    the other rows are still processed."""
    if not fresh:
        return
    for row in fresh:
        row.frozen_at = now
    built = build(fresh, now, read_records(fresh))
    for row in fresh:
        payload = built[row.pk]
        if isinstance(payload, Exception):
            logger.error("dispatch %s can't be built", row.pk, exc_info=payload)
            row.payload = ""
        else:
            row.payload = payload


def _attempt(row: Dispatch, now: datetime.datetime, worker: str) -> Attempt:
    """Returns the unsaved attempt, with its order's trace id. An order from before 1.5.0 has no trace id."""
    trace = row.order.trace or uuid.uuid4().hex
    return Attempt(dispatch=row, number=row.attempts, trace=trace, started_at=now, worker=worker)


def _work(row: Dispatch, attempt: Attempt, *, after_loss: bool, ask_first: bool) -> Work:
    return Work(
        dispatch_id=row.pk,
        attempt_id=attempt.pk,
        token=row.lease_token,
        channel=row.channel,
        step=row.step,
        key=str(row.key),
        request_id=attempt.request_id.hex,
        payload=row.payload,
        lease_until=row.next_try_at,
        size=row.size,
        order=row.order.number,
        attempt=attempt.number,
        trace=attempt.trace,
        alone=row.lost > 0,
        after_loss=after_loss,
        unsure=row.unanswered_at is not None and not row.repeat,
        ask_first=ask_first,
        posted=row.step in DELETIONS and bool(row.posted),
    )


def next_due(*, after: datetime.datetime, until: datetime.datetime) -> datetime.datetime | None:
    """Returns the next time, after `after` and up to `until`, when a step can be claimed or a start day begins."""
    tries = Dispatch.objects.open().filter(next_try_at__gt=after, next_try_at__lte=until)
    starts = Dispatch.objects.filter(state=Dispatch.State.WAITING, not_before__gt=after, not_before__lte=until)
    times = [
        tries.order_by("next_try_at").values_list("next_try_at", flat=True).first(),
        starts.order_by("not_before").values_list("not_before", flat=True).first(),
    ]
    return min((time for time in times if time), default=None)
