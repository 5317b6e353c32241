"""The retry schedule: the waits before a temporary failure is retried, one row per kind (contract 3.5, 3.7)."""

import datetime
import random
from collections.abc import Sequence

from django.conf import settings

from notifications.models import Mail
from orders.models import Dispatch
from orders.outbox.outcome import Outcome
from orders.rules.steps import LONGEST_RETRY_AFTER

WAITS: dict[str, Sequence[float]] = {
    Dispatch.Step.MOVE_START: (10, 30, 60, 120, 300, 600),  # contract 3.9, 18
    "move_held_back": (15,),  # repeated while its partner's breaker is open
    "wrong_files": (300,),  # repeated (contract 3.7)
    "unchecked_files": (60,),  # repeated: this machine could not check the files
    "mail_in_front": (2,),  # repeated until the mail about the beginning is sent
    "robot": (60, 300, 900, 1800),
    "outcome": (0.2, 0.5, 1.0, 2.0, 4.0),  # saving an outcome; a database that restarts is back by then
    "row_of_bulk_run": (0.1, 0.5),
}
"""Seconds before the first, second, ... retry. All other steps and mails: the setting DISPATCH_RETRY_SECONDS."""
JITTER = 0.1  # of steps and mails


def next_try(kind: str, now: datetime.datetime, failures: int = 0) -> datetime.datetime | None:
    """Returns the time of the next retry after this number of retries, or None if no retry is left."""
    waits = WAITS[kind]
    return now + datetime.timedelta(seconds=waits[failures]) if failures < len(waits) else None


def try_again(row: Dispatch | Mail, outcome: Outcome, now: datetime.datetime) -> bool:
    """Sets the next try without saving it. Returns False if no try is left. While the breaker is open, a failure uses
    up no retry."""
    waits = WAITS.get(row.step, settings.DISPATCH_RETRY_SECONDS)
    left = len(waits) if row.tries_left is None else min(row.tries_left, len(waits))  # the schedule may be shorter now
    if outcome.free:
        wait = max(settings.BREAKER_PROBE_SECONDS, outcome.retry_after or 0)
    elif left:
        row.tries_left = left - 1
        wait = max(waits[-left] * random.uniform(1 - JITTER, 1 + JITTER), outcome.retry_after or 0)
    else:
        return False
    row.state, row.next_try_at = Dispatch.State.RETRYING, now + datetime.timedelta(seconds=wait)
    return True


def longest_wait() -> datetime.timedelta:
    """Returns the longest time until the next try of a step or mail that this schedule can set."""
    waits = [*WAITS[Dispatch.Step.MOVE_START], *settings.DISPATCH_RETRY_SECONDS, settings.BREAKER_PROBE_SECONDS]
    return datetime.timedelta(seconds=max(max(waits) * (1 + JITTER), LONGEST_RETRY_AFTER))
