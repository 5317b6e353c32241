"""A worker's look at the desk itself, each minute: what has stopped, and which alarms are mailed at once.

It is a task of its own, so that no sweep waits for an address that does not answer.
"""

import datetime
import logging

from django.utils import timezone
from django_q.tasks import async_task

from integrations.base.database_deadline import LOOK, database_deadline, is_away
from integrations.tasks import unless_away
from integrations.worker.heartbeat import beat
from project.observability.alarm_mails import watch_at_once
from project.observability.history import note_figures
from project.observability.site import watch_site
from project.observability.stops import keep_stops

log = logging.getLogger(__name__)
TASK = "project.observability.looks.look_around"
LOOKS = (note_figures, keep_stops, watch_site, watch_at_once)


def wake_looks(*, now: datetime.datetime) -> None:
    """Part of the sweep: has a worker look."""
    async_task(TASK)


@unless_away
def look_around() -> str:
    """One that fails does not stop the others. What was found is in incidents and mails."""
    beat()  # the others need not be told that a worker lives
    failed = None
    for look in LOOKS:
        try:
            with database_deadline(4 * LOOK):
                look(now=timezone.now())
        except Exception as error:
            if not is_away(error):
                log.exception("%s failed", look.__name__)
            failed = error
    if failed and is_away(failed):
        raise failed  # `unless_away` says it once
    return "looked"
