"""When a step that failed for now is tried again (contract 3.5, 3.7; the setting DISPATCH_RETRY_SECONDS)."""

import datetime
import random

from django.conf import settings

from notifications.models import Mail
from orders.models import Dispatch
from orders.outbox.outcome import Outcome
from orders.rules.steps import LONGEST_RETRY_AFTER

MOVE_WAITS = [10, 30, 60, 120, 300, 600]  # a move of a start has retries of its own (contract 3.9, 18)
FILES_AGAIN = datetime.timedelta(minutes=5)  # contract 3.7
JITTER = 0.1


def try_again(row: Dispatch | Mail, outcome: Outcome, now: datetime.datetime) -> bool:
    """Sets the next try, unsaved; False if none is left. While the breaker is open, a failure uses up none."""
    waits = MOVE_WAITS if row.step == Dispatch.Step.MOVE_START else settings.DISPATCH_RETRY_SECONDS
    left = len(waits) if row.tries_left is None else min(row.tries_left, len(waits))  # the schedule may be shorter now
    if outcome.free:
        wait = max(settings.BREAKER_PROBE_SECONDS, outcome.retry_after or 0)
        row.state, row.next_try_at = Dispatch.State.RETRYING, now + datetime.timedelta(seconds=wait)
        return True
    wait = _wait_before(len(waits) - left + 1, waits)
    if wait is None:
        return False
    wait = max(wait, outcome.retry_after or 0)
    row.state, row.tries_left = Dispatch.State.RETRYING, left - 1
    row.next_try_at = now + datetime.timedelta(seconds=wait)
    return True


def _wait_before(retry: int, waits: list[int]) -> float | None:
    """The seconds to wait before the first, second, ... retry, with jitter. None if there are not so many."""
    return waits[retry - 1] * random.uniform(1 - JITTER, 1 + JITTER) if retry <= len(waits) else None


def longest_wait() -> datetime.timedelta:
    """How far ahead a next try can lie: nothing else sets one."""
    waits = [*MOVE_WAITS, *settings.DISPATCH_RETRY_SECONDS, settings.BREAKER_PROBE_SECONDS]
    seconds = max(max(waits) * (1 + JITTER), LONGEST_RETRY_AFTER)
    return max(datetime.timedelta(seconds=seconds), FILES_AGAIN)
