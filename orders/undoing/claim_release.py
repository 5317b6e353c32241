"""Releases the claim of an activation on its trial (contract 3.9, First claim)."""

import datetime

from orders.history.order_locks_and_events import add_event
from orders.intake.replan_held_orders import settle_followers
from orders.models import Order, TrialClaim
from orders.trials.trial_state_writes import end_trial, reshape

WAITS_FOR_CLAIM = [Order.Held.CLAIM_HELD, Order.Held.TRIAL_BUSY, Order.Held.TRIAL_HELD]


def release_claim(claim: TrialClaim, order: Order, *, ends: str = "", now: datetime.datetime, by: str) -> None:
    """Releases an activation's claim on its (locked) trial, after the undoing of the activation is finished, or after
    staff gave up or accepted its remaining steps.

    `ends`: the reason why the trial ends, or empty if the trial continues.
    """
    trial = order.trial
    claim.released_at = now
    claim.save(update_fields=["released_at"])
    add_event(trial, "claim_released", by=by, now=now, activation=order.number)
    if ends:
        end_trial(trial, why=ends, now=now, by=by)
    # The shape comes before the followers, since the followers are planned by the new shape.
    reshape(trial, now=now, by=by)
    settle_followers(trial, now=now, by=by, held=WAITS_FOR_CLAIM)
