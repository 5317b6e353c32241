"""A worker's checks of the desk itself, each minute. They find silent failures, and alarms that are mailed at once.

The checks are a separate task. So no sweep waits for an address that does not respond.
"""

import logging

from django.utils import timezone

from integrations.base.database_deadline import CHECK_SECONDS, database_deadline, is_away
from integrations.tasks import DESK_CHECKS, parts_of, unless_away
from integrations.worker.heartbeat import beat

log = logging.getLogger(__name__)


@unless_away
def look_around() -> str:
    """Runs the checks. If a check fails, the others still run. The findings become incidents and mails."""
    beat()  # first, so that the checks don't report a dead worker while this one runs
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
        raise failed  # `unless_away` logs it once
    return "looked"
