"""Writes down what came of the calls, whatever the database does meanwhile: a result in hand must not be lost.

If it is lost all the same (the process dies), the lease runs out and the same bytes go out again under the same key.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from django.db import Error, InterfaceError, OperationalError, close_old_connections
from django.utils import timezone

from integrations.database_deadline import Outage, is_away, one_line
from orders.models import Attempt
from orders.services.outbox.outcome import Outcome
from orders.services.outbox.record import record_outcomes

logger = logging.getLogger(__name__)
outage = Outage(logger, "a drain")
WAITS = (0.2, 0.5, 1.0, 2.0, 4.0)  # seconds: a database that is restarted is back by then
Given = TypeVar("Given")


def record_safely(outcomes: list[Outcome]) -> int:
    """Records a batch; if one outcome can't be written, the others are all the same. Returns how many steps became due.

    Raises django.db.Error if the database stays away.
    """
    try:
        return patiently(lambda: record_outcomes(outcomes, now=timezone.now()))
    except Exception as error:
        if _passes(error):
            raise
        logger.exception("%s outcomes can't be recorded together", len(outcomes))
        return sum(_record_alone(outcome) for outcome in outcomes)


def _record_alone(outcome: Outcome) -> int:
    """What can't be written counts as a fault of ours, to be tried again: then it ends as an incident at the latest."""
    fault = f"the answer ({outcome.result}) could not be recorded; see the log"
    bare = replace(
        outcome,
        result=Attempt.Outcome.RETRY,
        code="internal",
        message=fault,
        params={},
        answer="",
        data={},
        unknown=True,
    )
    for attempt in (outcome, bare):
        try:
            return patiently(lambda: record_outcomes([attempt], now=timezone.now()))  # noqa: B023  called at once
        except Exception as error:
            if _passes(error):
                raise
            logger.exception("the outcome of dispatch %s can't be recorded", outcome.dispatch_id)
    return 0


def patiently(act: Callable[[], Given]) -> Given:
    """Does it again while the database is away, locked or chose it to end a deadlock; raises after some seconds.

    `act` must be one transaction, or harmless when done twice.
    """
    for wait in WAITS:
        try:
            done = act()
        except Error as error:
            if not _passes(error):
                raise
            if is_away(error):
                outage.began(error)
            else:
                logger.warning("the database failed, again in %s s: %s", wait, one_line(error))
            time.sleep(wait)
            close_old_connections()
        else:
            outage.over()
            return done
    return act()


def _passes(error: Exception) -> bool:
    """Whether it may work when done again: a deadlock, a lock, a database that is away or read only for a while."""
    return isinstance(error, OperationalError | InterfaceError) or is_away(error)
