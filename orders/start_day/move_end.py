"""Moves the last day of a running trial (contract 3.9, 18 and 19; section 5, `move_end`).

The day counts as an end that staff accepted, so it applies to the trial at once. One step posts the live records with
this day, in the same way as for a change of the end.
"""

import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Subquery

from orders.history.order_locks_and_events import add_event, lock_order, refresh_states
from orders.models import Dispatch, Order, TrialClaim
from orders.outbox.billing_effects import MAY_ACT, unanswered_since
from orders.outbox.enqueue import build_step, enqueue, wake
from orders.outbox.release_steps import BLOCKING, NOT_FINISHED, release
from orders.rules.local_time import SHANGHAI, in_ten_years, midnight
from orders.rules.steps import Channel, Step
from orders.start_day.move_start import BEHIND_PLAN
from orders.texts.errors import NotAllowedError, check_reason
from orders.trials.trial_state_reads import shape_of
from orders.trials.trial_state_writes import reshape, set_end

IN_LINE = Dispatch.objects.filter(lane=OuterRef("pk"), channel=Channel.BILLING)


def move_end(*, number: str, day: datetime.date, reason: str, by: str, now: datetime.datetime) -> Order:
    """Makes `day`, today or later, the last day of a running trial.

    A step in the trial's line sets the end of the trial's records to 23:59:59 of that day. Raises OrderUnknownError and
    NotAllowedError.
    """
    check_reason(reason, "moving an end")
    with transaction.atomic():
        trial = lock_order(number)
        if why := why_not_move_end(trial, now) or why_not_end_on(trial, day, now):
            raise why
        old = shape_of(trial).end
        set_end(trial, day, now=now, by=by)
        said = {"end_before": old and old.isoformat(), "end": day.isoformat()}
        add_event(trial, "end_moved", by=by, now=now, **said, reason=reason.strip())
        reshape(trial, now=now, by=by)
        # not blocking: the trial runs on, whatever comes of the call
        about = {"position": BEHIND_PLAN, "blocking": False, "to_shape": True, "size": trial.billing_records.count()}
        enqueue([build_step(trial, Step.EXTEND_TRIAL, now=now, due=True, **about)])
        release(now=now, order_ids=[trial.pk], serial_trial_ids=[trial.pk])
        refresh_states([trial], now=now, by=by)
        wake()
    return trial


def why_not_move_end(trial: Order, now: datetime.datetime) -> NotAllowedError | None:
    """Returns the error if the end of an order can't be moved to any day. Makes at most one query."""
    if trial.kind != Order.Kind.TRIAL:
        return NotAllowedError("end_no_trial", number=trial.number)
    if trial.state != Order.State.TRIALING or trial.undo_since:
        return NotAllowedError("end_not_trialing", number=trial.number, state=trial.state)
    claims = TrialClaim.objects.filter(trial=OuterRef("pk"), released_at=None)
    facts = Order.objects.filter(pk=trial.pk).values_list(
        Subquery(claims.values("activation__number")[:1]),
        Exists(IN_LINE.current().filter(BLOCKING, state__in=NOT_FINISHED)),
        Exists(IN_LINE.filter(unanswered_since(now - MAY_ACT))),
    )
    activation, moving, unanswered = facts.get()
    if activation:
        return NotAllowedError("end_claimed", number=trial.number, activation=activation)
    if moving:
        return NotAllowedError("billing_under_way")
    return NotAllowedError("move_unanswered", number=trial.number) if unanswered else None


def why_not_end_on(trial: Order, day: datetime.date, now: datetime.datetime) -> NotAllowedError | None:
    """Returns the error if the end of a running trial can't be moved to this day."""
    text = f"{day:%Y%m%d}"
    if day < now.astimezone(SHANGHAI).date():
        return NotAllowedError("move_day_past", day=text)
    if midnight(day) >= in_ten_years(now):  # a record that runs so long counts as one without an end
        return NotAllowedError("end_too_far", day=text)
    return NotAllowedError("end_same_day", day=text) if day == shape_of(trial).end else None
