"""Deliveries that failed by an error of ours: without a right, or on a row that nobody foresaw, steps stay unfinished.

An incident of the desk says so until none has failed for 10 minutes. Judged from the queue's failures.
"""

import datetime

from django_q.models import Failure

from orders.services.incidents import keep_desk_incident
from orders.services.outbox.enqueue import DRAIN

DELIVERY_FAILED = "delivery_failed"
SWEEP = "integrations.tasks.sweep"
WITHIN = datetime.timedelta(minutes=10)
LONGEST = 200  # characters of an error that are shown


def watch_failed_tasks(*, now: datetime.datetime) -> None:
    """Opens or closes the incident. The sweep calls it each minute."""
    keep_desk_incident(DELIVERY_FAILED, failed_tasks(now=now), now=now)


def failed_tasks(*, now: datetime.datetime) -> dict | None:
    """How many drains and sweeps (`number`) failed within `minutes`, and the newest `error`. None if none did."""
    rows = Failure.objects.filter(func__in=[DRAIN, SWEEP], stopped__gt=now - WITHIN)
    newest = rows.order_by("-stopped").first()
    if newest is None:
        return None
    error = str(newest.result).strip().partition("\n")[0].partition(" : Traceback")[0][:LONGEST]
    return {"number": rows.count(), "minutes": WITHIN.seconds // 60, "error": error}
