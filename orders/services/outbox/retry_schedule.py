"""When a step that failed for now is tried again (contract 3.5, 3.7; the setting DISPATCH_RETRY_SECONDS).

The settings' defaults stand in `project/environment.py`.
"""

import datetime
import random

from django.conf import settings

from orders.models import Dispatch
from orders.services.outbox.outcome import Outcome

FILES_AGAIN = datetime.timedelta(minutes=5)  # contract 3.7


def try_again(row: Dispatch, outcome: Outcome, now: datetime.datetime) -> bool:
    """Sets the next try, unsaved; False if none is left. While the breaker is open, a failure uses up none."""
    waits = settings.DISPATCH_RETRY_SECONDS
    left = len(waits) if row.tries_left is None else min(row.tries_left, len(waits))  # the schedule may be shorter now
    if outcome.free:
        wait = max(settings.BREAKER_PROBE_SECONDS, outcome.retry_after or 0)
        row.state, row.next_try_at = Dispatch.State.RETRYING, now + datetime.timedelta(seconds=wait)
        return True
    wait = wait_before(len(waits) - left + 1)
    if wait is None:
        return False
    wait = max(wait, outcome.retry_after or 0)
    row.state, row.tries_left = Dispatch.State.RETRYING, left - 1
    row.next_try_at = now + datetime.timedelta(seconds=wait)
    return True


def wait_before(retry: int) -> float | None:
    """The seconds to wait before the first, second, ... retry, with jitter. None if there are not so many."""
    waits = settings.DISPATCH_RETRY_SECONDS
    return waits[retry - 1] * random.uniform(0.9, 1.1) if retry <= len(waits) else None
