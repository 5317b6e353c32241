"""Ends trials whose last day has passed (contract 3.8)."""

import datetime

from django.db import transaction

from orders.history.order_locks_and_events import lock_orders
from orders.models import Order
from orders.rules.local_time import SHANGHAI
from orders.trials.trial_state_reads import running_trials
from orders.trials.trial_state_writes import refresh_trial


def end_trials(*, now: datetime.datetime) -> int:
    """Ends running trials whose last day has passed. Returns the number of ended trials."""
    today = now.astimezone(SHANGHAI).date()
    over = running_trials().filter(shape__ends_on__lt=today).order_by("shape__ends_on").values_list("pk", flat=True)
    ended = 0
    for pk in list(over[:500]):
        with transaction.atomic():
            trial = lock_orders([pk])[pk]
            # Checked again under the lock, since a change may have extended the trial meanwhile.
            if trial.state == Order.State.TRIALING:
                refresh_trial(trial, now=now, by="sweep")
                ended += trial.state == Order.State.ENDED
    return ended
