"""How a trial ends, and how its claim is released (contract 3.8; 3.9, First claim)."""

import datetime

from django.db import transaction

from orders.local_time import SHANGHAI
from orders.models import Order, TrialClaim
from orders.queries.trial_ends import trials_ending
from orders.services.holds import settle_followers
from orders.services.order_state import add_event, latest_shape, lock_orders, move_trial
from orders.services.planning import CLOSED_FOR_GOOD, ended, open_claim

WAITS_FOR_CLAIM = [Order.Held.CLAIM_HELD, Order.Held.TRIAL_BUSY, Order.Held.TRIAL_HELD]


def end_trials(*, now: datetime.datetime) -> int:
    """Ends running trials whose BizEnd has passed and that nobody activated. Returns how many."""
    today = now.astimezone(SHANGHAI).date()
    over = {pk for rows in trials_ending(lt=today) for pk in rows.values_list("pk", flat=True)[:500]}
    return sum(_end(pk, now) for pk in sorted(over))


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
