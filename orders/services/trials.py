"""How a trial ends, and how its claim is released (contract 3.8; 3.9, First claim)."""

import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from orders.local_time import SHANGHAI
from orders.models import Order, TrialClaim
from orders.services.holds import settle_followers
from orders.services.order_state import CHANGES, add_event, latest_shape, lock_orders, move_trial
from orders.services.planning import CLOSED_FOR_GOOD, ended, open_claim

WAITS_FOR_CLAIM = [Order.Held.CLAIM_HELD, Order.Held.TRIAL_BUSY, Order.Held.TRIAL_HELD]


def end_trials(*, now: datetime.datetime) -> int:
    """Ends running trials whose BizEnd has passed and that nobody activated. Returns how many."""
    today = now.astimezone(SHANGHAI).date()
    return sum(_end(pk, now) for pk in sorted(_past_last_day(today)))


def _past_last_day(today: datetime.date) -> set[int]:
    """Running trials whose last day has passed.

    The latest change's day counts. So it searches twice, each time with an index: by the trial's own day, and by the
    day of a change.
    """
    changes = CHANGES.filter(in_effect=True)
    latest = changes.filter(trial=OuterRef("pk")).order_by("-change_number").values("biz_end")[:1]  # as in latest_shape
    claims = TrialClaim.objects.filter(trial=OuterRef("pk"), released_at=None)
    running = Order.objects.filter(~Exists(claims), kind=Order.Kind.TRIAL, state=Order.State.TRIALING)
    over = running.annotate(last_day=Coalesce(Subquery(latest), "biz_end")).filter(last_day__lt=today)
    ways = Q(biz_end__lt=today), Q(pk__in=changes.filter(biz_end__lt=today).values("trial"))
    return {pk for way in ways for pk in over.filter(way).values_list("pk", flat=True)[:500]}


def _end(pk: int, now: datetime.datetime) -> bool:
    with transaction.atomic():
        trial = lock_orders([pk])[pk]
        if trial.state != Order.State.TRIALING or open_claim(trial) or not ended(latest_shape(trial), now):
            return False
        move_trial(trial, Order.State.ENDED, now=now, by="sweep")
    return True


def release_claim(claim: TrialClaim, order: Order, *, ended_now: bool, now: datetime.datetime, by: str) -> None:
    """Frees the (locked) trial. `ended_now`: it does not run on.

    Called when the activation's undoing is finished (`compensation/finish.py::finish_undo`), or when staff give up or
    accept what is left of it (`giving_up.py`).
    """
    trial = order.trial
    claim.released_at = now
    claim.save(update_fields=["released_at"])
    add_event(trial, "claim_released", by=by, now=now, activation=order.number)
    if trial.state == Order.State.CONVERTED:
        new = claim.trial_was if claim.trial_was in CLOSED_FOR_GOOD else Order.State.TRIALING
        if new == Order.State.TRIALING and (ended_now or ended(latest_shape(trial), now)):
            new = Order.State.ENDED
        move_trial(trial, new, now=now, by=by)
    elif ended_now and trial.state == Order.State.TRIALING:
        move_trial(trial, Order.State.ENDED, now=now, by=by)
    settle_followers(trial, now=now, by=by, held=WAITS_FOR_CLAIM)
