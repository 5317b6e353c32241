"""A worker's check of the desk itself, each minute: silent failures, and alarms that are mailed at once.

It is a task of its own, so that no sweep waits for an address that does not answer.
"""

import logging

from django.utils import timezone

from integrations.base.database_deadline import CHECK_SECONDS, database_deadline, is_away
from integrations.tasks import DESK_CHECKS, parts_of, unless_away
from integrations.worker.heartbeat import beat

log = logging.getLogger(__name__)


@unless_away
def look_around() -> str:
    """Runs the checks. A failing one does not stop the others. The findings are incidents and mails."""
    beat()  # the others need not be told that a worker lives
    failed = None
    for look in (part.run for part in parts_of(DESK_CHECKS)):
        try:
            with database_deadline(4 * CHECK_SECONDS):
                look(now=timezone.now())
        except Exception as error:
            if not is_away(error):
                log.exception("%s failed", look.__name__)
            failed = error
    if failed and is_away(failed):
        raise failed  # `unless_away` says it once
    return "looked"
