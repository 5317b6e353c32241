"""The calls that wait for a paused or failing partner, and how long they will take afterwards (contract 3.5)."""

import datetime
import math
from dataclasses import dataclass

from django.db.models import Count
from django.db.models.functions import TruncMinute

from orders.models import Attempt
from orders.pauses.paused_steps import count_waiting
from orders.rules.steps import channels_of

MEASURED = datetime.timedelta(hours=24)  # long enough to include a busy hour if the calls stop at night
MOST = 20_000  # newest calls that are measured: `status` has four seconds, also at a desk with many calls
ANSWERED = (Attempt.Outcome.OK, Attempt.Outcome.REFUSED)


@dataclass(frozen=True)
class Backlog:
    """`waiting`: the number of calls that are due. `rate`: the calls a minute to expect; None if none was measured."""

    waiting: int
    rate: int | None

    @property
    def minutes(self) -> int | None:
        """The minutes until all are worked off, once calls go again. None if it can't be estimated."""
        return math.ceil(self.waiting / self.rate) if self.rate else None


def backlog_of(
    partner: str, *, since: datetime.datetime, now: datetime.datetime, waiting: int | None = None
) -> Backlog:
    """Returns what waits for a partner whose calls stopped at `since`. `waiting`: the number, if it is known already.

    The rate is measured before `since`, because afterwards there are at most probes. Mails have no attempts.
    """
    if waiting is None:
        waiting = count_waiting(now=now, partner=partner)
    calls = Attempt.objects.filter(started_at__gte=since - MEASURED, started_at__lt=since, outcome__in=ANSWERED)
    calls = calls.filter(dispatch__channel__in=channels_of(partner)).order_by("-started_at")[:MOST]
    minutes = Attempt.objects.filter(pk__in=calls.values("pk")).values_list(TruncMinute("started_at"))
    minutes = minutes.annotate(number=Count("pk")).order_by("-number")
    busiest = minutes.first() if waiting else None
    return Backlog(waiting, busiest[1] if busiest else None)


def say_backlog(waiting: int, rate: int | None, minutes: int | None) -> str:
    """Returns `about 12 minutes after it ends (240 calls wait, 20 a minute)`, for engineers."""
    wait = f"{waiting} call waits" if waiting == 1 else f"{waiting} calls wait"
    if not waiting:
        return wait
    if minutes is None:
        return f"{wait}; how long that takes can't be estimated: no call was measured in the 24 hours before"
    return f"about {minutes} minute{'' if minutes == 1 else 's'} after it ends ({wait}, {rate} a minute)"
