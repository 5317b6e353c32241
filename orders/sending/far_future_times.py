"""Corrects times of steps and mails that are later than any time that the desk sets (contract 3.9).

Such times come from a clock that was ahead. The process had not read the database's time yet, or its version was older
than 1.11.0. Without the correction the step or mail would wait for the wrong time.
"""

import datetime
from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from notifications.models import Mail
from orders.attachments.files_hold import MAILED_AGAIN
from orders.db.compiled_sql import update_rows
from orders.history.order_locks_and_events import add_events, event
from orders.models import Dispatch, OrderEvent
from orders.outbox.billing_effects import MAY_ACT
from orders.outbox.retry_schedule import longest_wait
from orders.rules.steps import Step

CLOCK_TOLERANCE = datetime.timedelta(minutes=1)  # allowed difference between clocks, and between their times
DUE_AHEAD = max(MAY_ACT, MAILED_AGAIN)  # rows that were not tried yet are never due later
LOOKS = [Step.ASK_BILLING, Step.VERIFY_DELETED]  # wait MAY_ACT at most; other steps with this gate wait for a day
AT_ONCE = 1000
PUT_RIGHT = "moment_put_right"
BY_ITSELF = "system"


def put_right(*, now: datetime.datetime) -> int:
    """Corrects times that are too far ahead, and adds an event to each order. Returns the number of corrected steps and
    mails. Rows locked by other transactions are left for the next run."""
    soon, steps = now + CLOCK_TOLERANCE, Dispatch.objects.current()
    tried_then = Q(frozen_at__gt=soon) | Q(unanswered_at__gt=soon)
    looks = steps.filter(
        state=Dispatch.State.WAITING, gate=Dispatch.Gate.START, step__in=LOOKS, not_before__gt=soon + MAY_ACT
    )
    number = (
        _move(Mail.objects.filter(_too_far(now, Q(frozen_at__gt=soon))), "next_try_at", _next_try, now)
        + _move(steps.filter(_too_far(now, tried_then)), "next_try_at", _next_try, now)
        + _move(looks, "not_before", lambda row, now: now + MAY_ACT, now)
    )
    steps.open().filter(unanswered_at__gt=soon).update(unanswered_at=now)
    return number


def _too_far(now: datetime.datetime, tried_then: Q) -> Q:
    """Returns the condition for steps or mails whose next try is too late: later than any time that a lease (twice), a
    retry or a first try can set. `tried_then`: a call was recorded at a future time, so the next try after that call is
    wrong as well."""
    soon = now + CLOCK_TOLERANCE
    return (
        Q(state=Dispatch.State.SENDING, next_try_at__gt=now + 2 * _lease())
        | Q(state=Dispatch.State.RETRYING, next_try_at__gt=soon + longest_wait())
        | Q(tried_then, state=Dispatch.State.RETRYING, next_try_at__gt=soon)
        | Q(state=Dispatch.State.DUE, next_try_at__gt=soon + DUE_AHEAD)
    )


@transaction.atomic
def _move(far: QuerySet, name: str, right: Callable, now: datetime.datetime) -> int:
    rows = list(far.order_by("pk").select_for_update(skip_locked=True, no_key=True)[:AT_ONCE])
    events = [_event(row, getattr(row, name), now) for row in rows]
    for row in rows:
        setattr(row, name, right(row, now))
    update_rows(rows, [name])
    add_events(events)
    return len(rows)


def _next_try(row: Dispatch | Mail, now: datetime.datetime) -> datetime.datetime:
    """Returns now or, for a leased row, the end of a lease that begins now, since a call in progress can't outlive that
    lease."""
    return now + _lease() if row.state == Dispatch.State.SENDING else now


def _lease() -> datetime.timedelta:
    return datetime.timedelta(seconds=settings.DISPATCH_LEASE_SECONDS)


def _event(row: Dispatch | Mail, was: datetime.datetime, now: datetime.datetime) -> OrderEvent:
    step = row.kind if isinstance(row, Mail) else row.step
    found = event(None, PUT_RIGHT, by=BY_ITSELF, now=now, step=step, was=was.isoformat())
    found.order_id = row.order_id
    return found
