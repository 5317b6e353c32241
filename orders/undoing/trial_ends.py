"""The end of a trial, and the release of the claim on it (contract 3.8; 3.9, First claim)."""

import datetime

from django.db import transaction

from orders.history.order_locks_and_events import add_event, lock_orders
from orders.intake.holds import settle_followers
from orders.models import Order, TrialClaim
from orders.rules.local_time import SHANGHAI
from orders.trials.trial_state_reads import running_trials
from orders.trials.trial_state_writes import end_trial, refresh_trial, reshape

WAITS_FOR_CLAIM = [Order.Held.CLAIM_HELD, Order.Held.TRIAL_BUSY, Order.Held.TRIAL_HELD]


def end_trials(*, now: datetime.datetime) -> int:
    """Ends running trials whose last day has passed. Returns how many."""
    today = now.astimezone(SHANGHAI).date()
    over = running_trials().filter(shape__ends_on__lt=today).order_by("shape__ends_on").values_list("pk", flat=True)
    ended = 0
    for pk in list(over[:500]):
        with transaction.atomic():
            trial = lock_orders([pk])[pk]
            # Checked again under the lock: a change may have extended it meanwhile.
            if trial.state == Order.State.TRIALING:
                refresh_trial(trial, now=now, by="sweep")
                ended += trial.state == Order.State.ENDED
    return ended


def release_claim(claim: TrialClaim, order: Order, *, ends: str = "", now: datetime.datetime, by: str) -> None:
    """Releases the claim on the (locked) trial of an activation whose undoing is finished, or whose remaining steps
    staff gave up or accepted.

    `ends`: the reason why the trial ends; empty if it continues.
    """
    trial = order.trial
    claim.released_at = now
    claim.save(update_fields=["released_at"])
    add_event(trial, "claim_released", by=by, now=now, activation=order.number)
    if ends:
        end_trial(trial, why=ends, now=now, by=by)
    # The shape before the followers: they are planned by the new shape.
    reshape(trial, now=now, by=by)
    settle_followers(trial, now=now, by=by, held=WAITS_FOR_CLAIM)
