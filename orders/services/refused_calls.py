"""Calls of BBOSS that are refused again and again: an expired token, a wrong clock or secret stops all orders.

An incident of the desk says so until calls are accepted again. Judged from the messages that are kept, so a call pays
nothing for it.
"""

import datetime

from django.db.models import Count, Q

from orders.models import InboundMessage
from orders.models.inbound import ACCEPTED
from orders.services.incidents import keep_desk_incident

INTAKE_REFUSED = "intake_refused"
MIN_CALLS = 5  # calls; fewer say nothing yet (assumed)
MAX_CALLS = 20_000  # of the newest calls that are looked at
ALL_WITHIN, HALF_WITHIN = datetime.timedelta(minutes=2), datetime.timedelta(minutes=10)


def watch_refused_calls(*, now: datetime.datetime) -> None:
    """Opens the incident, or closes it once a call was accepted. The sweep calls it each minute."""
    counts = _counts(now)
    found = _worst(counts)
    if found or any(code == ACCEPTED for code, _long, _short in counts):
        keep_desk_incident(INTAKE_REFUSED, found, now=now)


def refused_calls(*, now: datetime.datetime) -> dict | None:
    """The code (`answer`) by which all calls of 2 minutes, or more than half of 10, were refused: `number` of `total`
    in `minutes`. None if there is none."""
    return _worst(_counts(now))


def _counts(now: datetime.datetime) -> list[tuple[str, int, int]]:
    """Of each answer's code how many calls came within 10 minutes, and within 2."""
    newest = InboundMessage.objects.order_by("-pk").values_list("pk", flat=True).first()
    if newest is None:
        return []
    rows = InboundMessage.objects.filter(pk__gt=newest - MAX_CALLS, received_at__gt=now - HALF_WITHIN)
    short = Count("pk", filter=Q(received_at__gt=now - ALL_WITHIN))
    return list(rows.order_by().values_list("rsp_code").annotate(long=Count("pk"), short=short))


def _worst(counts: list[tuple[str, int, int]]) -> dict | None:
    for within, column, share in ((ALL_WITHIN, 2, 1.0), (HALF_WITHIN, 1, 0.5)):
        total = sum(row[column] for row in counts)
        code, number = max(((row[0], row[column]) for row in counts), key=lambda one: one[1], default=(ACCEPTED, 0))
        refused = code != ACCEPTED and (number == total or number > share * total)
        if total >= MIN_CALLS and refused:
            return {"answer": code, "number": number, "total": total, "minutes": within.seconds // 60}
    return None
