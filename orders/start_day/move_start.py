"""Moves the start day of a scheduled activation (contract 3.9, 18; section 5, `move_start`).

One call replaces the order's commercial records, with the new createTime. Once the big-data side has accepted, one
transaction changes the day, the schedule and the steps that wait for the day. Until then the order keeps its old day,
and no step of its start day is executed.
"""

import datetime
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django_q.models import Schedule

from orders.db.compiled_sql import update_rows
from orders.history.order_locks_and_events import add_event, lock_order, refresh_states
from orders.incidents.incident_codes import MOVE_FAILED
from orders.incidents.incidents import close_troubles
from orders.models import BillingRecord, Dispatch, Order
from orders.models.dispatch import OPEN_STATES
from orders.outbox.billing_effects import ACTED, late_calls
from orders.outbox.enqueue import build_schedule, build_step, enqueue, schedule_name, wake
from orders.outbox.open_moves import differs, is_move, move_of
from orders.outbox.record_selection import moved_to
from orders.outbox.release_steps import release
from orders.outbox.retry_schedule import next_try
from orders.replanning.reopening import note_sent_with
from orders.rules.local_time import SHANGHAI, in_ten_years, midnight
from orders.rules.steps import FIXES, Channel, Partner, Phase, Step
from orders.texts.errors import NotAllowedError, check_reason

BEFORE_START = datetime.timedelta(minutes=10)  # time between the end of the last call and the earlier start
FOR_TODAY = datetime.timedelta(minutes=30)  # by then after the request, the last call of a move to today has ended
MIN_LEAD = datetime.timedelta(minutes=30)  # minimum time to both starts for resending records that disagree
BEHIND_PLAN = Phase.UNDO - 50  # position if there is no cancel step of a start day
NOT_BILLED_YET = {Order.State.IN_PROGRESS, Order.State.AWAITING_APPROVAL, Order.State.HELD}


def move_start(*, number: str, day: datetime.date, reason: str, by: str, now: datetime.datetime) -> Order:
    """Moves the start of a scheduled activation to `day`, today or later, at midnight in Asia/Shanghai.

    A billed order keeps its old day until the big-data side has accepted the new createTime. An unbilled order is moved
    at once. BPM is not notified. Raises OrderUnknownError and NotAllowedError.
    """
    check_reason(reason, "moving a start day")
    with transaction.atomic():
        order = lock_order(number)
        if why := why_not_move(order, now) or why_not_on(order, day, now):
            raise why
        old = order.start_at.isoformat()
        add_event(order, "move_asked", by=by, now=now, old=old, new=midnight(day).isoformat(), reason=reason.strip())
        if order.state == Order.State.SCHEDULED:
            enqueue([_build_move(order, day, now)])
        else:
            move_start_to(order, None if _is_today(day, now) else midnight(day), now=now, by=by)
            close_troubles(order, code=MOVE_FAILED, now=now, by=by)
        release(now=now, order_ids=[order.pk], serial_trial_ids=[order.trial_id])
        refresh_states([order], now=now, by=by)
        wake()
    return order


def why_not_move(order: Order, now: datetime.datetime) -> NotAllowedError | None:
    """Returns the error if the start of an order can't be moved to any day."""
    movable = order.state == Order.State.SCHEDULED or order.state in NOT_BILLED_YET
    if order.kind != Order.Kind.ACTIVATION or order.undo_since or order.start_at is None or not movable:
        return NotAllowedError("move_not_scheduled", number=order.number, state=order.state)
    if order.start_at <= now:
        return NotAllowedError("start_has_come")
    if why := why_moving(order):
        return why
    if order.state != Order.State.SCHEDULED:
        return None if _is_unbilled(order) else NotAllowedError("move_not_yet", number=order.number, state=order.state)
    if late_calls(orders=[order.pk], now=now):  # a late call would set another start
        return NotAllowedError("move_unanswered", number=order.number)
    steps = order.dispatches.current().filter(channel=Channel.BILLING)
    failed = Q(state=Dispatch.State.FAILED, repeat=False) & ~Q(step__in=FIXES)
    if steps.filter(Q(state__in=OPEN_STATES) | failed).exists():
        return NotAllowedError("billing_under_way")
    most = settings.PARTNERS.bigdata.post.most
    if most and (number := order.billing_records.filter(state__in=BillingRecord.THERE).count()) > most:
        return NotAllowedError("too_many", number=number, most=most)  # one call moves all records
    return None if _is_billed(order) else NotAllowedError("move_books_open", number=order.number)


def why_not_on(order: Order, day: datetime.date, now: datetime.datetime) -> NotAllowedError | None:
    """Returns the error if the start of a movable order can't be moved to this day."""
    text = f"{day:%Y%m%d}"
    if day < now.astimezone(SHANGHAI).date():
        return NotAllowedError("move_day_past", day=text)
    if day == order.start_at.astimezone(SHANGHAI).date():
        return NotAllowedError("move_same_day", day=text)
    if midnight(day) >= in_ten_years(now):  # its records would end before they begin (contract 3.3)
        return NotAllowedError("move_day_too_far", day=text)
    if order.state == Order.State.SCHEDULED and not _has_time(last_call(order, day, now), now):
        return NotAllowedError("move_too_late", number=order.number)
    return None


def why_moving(order: Order) -> NotAllowedError | None:
    """Returns the error for other actions on the order's records if a move of its start is unfinished. Otherwise
    returns None."""
    return why_unresolved(order, move_of(order))


def why_unresolved(order: Order, move: Dispatch | None) -> NotAllowedError | None:
    if move is None:
        return None
    return NotAllowedError("move_differs" if differs(move) else "move_under_way", number=order.number)


def may_send_again(move: Dispatch, order: Order, now: datetime.datetime) -> bool:
    """Returns True if a move may be sent again: its records disagree, and both starts are far enough in the future."""
    start = start_of(move)
    return differs(move) and bool(order.start_at) and start is not None and min(start, order.start_at) >= now + MIN_LEAD


def start_of(move: Dispatch) -> datetime.datetime | None:
    """Returns the new start of a move, or None for a move to today that was never attempted."""
    return moved_to(move) if move.new_start or move.frozen_at else None


def _is_today(day: datetime.date, now: datetime.datetime) -> bool:
    return day == now.astimezone(SHANGHAI).date()


def _is_unbilled(order: Order) -> bool:
    """Returns True if no billing call of the order was made. Locks the billing step, so that no worker claims the step
    meanwhile."""
    acts = order.dispatches.filter(ACTED, plan=order.plans, channel=Channel.BILLING, lane=None, undo=False)
    rows = order.dispatches.current().filter(step=Step.CREATE_BILLING, undo=False)
    if transaction.get_connection().in_atomic_block:
        rows = rows.select_for_update(no_key=True)
    steps = list(rows.values_list("state", "attempts"))
    never = all(state in {Dispatch.State.WAITING, Dispatch.State.DUE} and not attempts for state, attempts in steps)
    return bool(steps) and never and not acts.exclude(step=Step.ASK_BILLING).exists()


def _is_billed(order: Order) -> bool:
    """Returns True if each domain of the order has a live record, and no record is unknown."""
    records = order.billing_records.filter(state__in=BillingRecord.THERE).values_list("domain_key", "state")
    live = {key for key, state in records if state == BillingRecord.State.LIVE}
    return len(records) == len(live) and set(order.domains.values_list("key", flat=True)) <= live


def last_call(order: Order, day: datetime.date, now: datetime.datetime) -> datetime.datetime:
    """Returns the time by which the last call of a move must have ended."""
    return now + FOR_TODAY if _is_today(day, now) else min(midnight(day), order.start_at) - BEFORE_START


def _build_move(order: Order, day: datetime.date, now: datetime.datetime) -> Dispatch:
    cancels = order.dispatches.current().filter(step=Step.CANCEL_TRIAL, gate=Dispatch.Gate.START, undo=False)
    before = (
        cancels.filter(state=Dispatch.State.WAITING).order_by("position").values_list("position", flat=True).first()
    )
    records = order.billing_records.filter(state=BillingRecord.State.LIVE).order_by("pk").values_list("pk", flat=True)
    return build_step(
        order,
        Step.MOVE_START,
        now=now,
        due=True,
        records=records,
        position=before - 1 if before else BEHIND_PLAN,
        new_start=None if _is_today(day, now) else midnight(day),
        call_until=last_call(order, day, now),
    )


# --- when a move may be called


def _has_time(until: datetime.datetime, now: datetime.datetime) -> bool:
    """Returns True if a call that is claimed now ends before `until`, even if it begins only at the end of its
    lease."""
    return now + datetime.timedelta(seconds=settings.DISPATCH_LEASE_SECONDS) <= until


def is_over(move: Dispatch, now: datetime.datetime) -> bool:
    """Returns True if no further call of a move may be made. A move to today must begin before the old start."""
    late = move.new_start is None and move.frozen_at is None and move.order.start_at <= now
    return late or not _has_time(move.call_until, now)


def hold_back(rows: list[Dispatch], *, now: datetime.datetime, down: Iterable[str]) -> list[Dispatch]:
    """Returns the (locked) due steps without expired moves. While the big-data side is down, also leaves out moves that
    have not begun.

    The removed moves are checked again soon. `end_moves` ends the expired moves.
    """

    def waits(row: Dispatch) -> bool:
        return is_over(row, now) or (row.attempts == 0 and Partner.BIGDATA in down)

    held = [row for row in rows if is_move(row) and waits(row)]
    for row in held:
        # without a token, so that the move does not count as being sent
        row.next_try_at, row.lease_token = next_try("move_held_back", now), None
    if held:
        update_rows(held, ["next_try_at", "lease_token"])
    return [row for row in rows if row not in held]


# --- what moves


def move_start_to(order: Order, start: datetime.datetime | None, *, now: datetime.datetime, by: str) -> None:
    """Changes the start of a (locked) order, its schedule and its waiting steps.

    With None, the order starts as soon as possible.
    """
    note_sent_with(order)
    if order.start_at:
        Schedule.objects.filter(name=schedule_name(order)).delete()
    before, order.start_at = order.start_at, start
    order.biz_start = (start or now).astimezone(SHANGHAI).date()
    order.save(update_fields=["start_at", "biz_start"])
    waiting = order.dispatches.current().filter(gate=Dispatch.Gate.START, undo=False, state=Dispatch.State.WAITING)
    waiting.exclude(step=Step.ASK_BILLING).update(not_before=start or now)
    if start and start > now:
        build_schedule(order).save()
    said = {"old": before and before.isoformat(), "new": (start or now).isoformat()}
    add_event(order, "start_moved", by=by, now=now, **said, **({} if start else {"at_once": True}))
