"""Steps whose worker died: they may be why, so they are sent alone, and not for ever (contract 3.5)."""

import datetime
import uuid

from django.db.models import DateTimeField, Q

from orders.db.compiled_query import Prepared, Slot
from orders.error_messages import MESSAGES
from orders.models import Attempt, Dispatch
from orders.models.dispatch import OPEN_STATES
from orders.services.outbox.outcome import Outcome
from orders.services.outbox.record import record_outcomes

State, Result = Dispatch.State, Attempt.Outcome
MOST_ALONE = 5  # losses in a row, after the first, which may have been a neighbour's doing
WORDS = MESSAGES["worker_died"].english

# Of what is due; a lease that ran out is a loss.
NEVER_LOST = Q(lost=0) & ~Q(state=State.SENDING)
USED_UP = Q(state=State.SENDING, lost__gte=MOST_ALONE)
TO_SEND_ALONE = ~NEVER_LOST & ~USED_UP
LOST = Prepared(
    lambda: (
        Dispatch.objects.filter(
            ~NEVER_LOST, superseded=False, state__in=OPEN_STATES, next_try_at__lte=Slot("now", DateTimeField())
        )
        .order_by("-lost", "next_try_at")
        .values_list("pk", "state", "lost", "lease_token", "channel")[:100]
    )
)


def look_at_lost(*, now: datetime.datetime, by: str = "worker") -> bool:
    """Fails the due steps whose worker died too often, with an incident and without compensation.

    Returns whether others are due that lost their worker. No transaction may be open: it locks orders.
    """
    rows = LOST(now=now)
    used_up = [
        _lost_for_good(pk, token, channel)
        for pk, state, lost, token, channel in rows
        if state == State.SENDING and lost >= MOST_ALONE
    ]
    if used_up:
        record_outcomes(used_up, now=now, by=by)
    return len(used_up) < len(rows)


def _lost_for_good(dispatch_id: int, token: uuid.UUID, channel: str) -> Outcome:
    attempts = Attempt.objects.filter(dispatch=dispatch_id, outcome=Result.OPEN).order_by("-pk")
    return Outcome(
        dispatch_id=dispatch_id,
        attempt_id=attempts.values_list("pk", flat=True).first(),
        token=token,
        channel=channel,
        result=Result.LOST,
        code="lost",
        message=WORDS,
        params={"code": "worker_died"},
        unknown=True,
    )


def note_losses(rows: list[Dispatch]) -> None:
    """Counts one loss more for (locked) rows that are claimed since their lease ran out; unsaved."""
    for row in rows:
        row.lost += 1
        row.may_have_acted = True
