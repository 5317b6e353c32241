"""Limits in time: how far one was passed, and so what is late. Pure; moments are aware.

Late is what has stayed in its state for its limit in working time (orders/limits/working_days.py). At twice the limit
it is very late.
"""

import datetime
from dataclasses import dataclass, field
from enum import StrEnum

from orders.limits.working_days import WorkingDays

VERY_LATE = 2  # times the limit


class Tone(StrEnum):
    """The degree of lateness. The pages' tones of these names mean the same."""

    LATE = "amber"
    VERY_LATE = "red"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A row of TimeLimit. `work`: the working time. An empty `kind` or `attribution` means all."""

    state: str
    kind: str = ""
    attribution: str = ""
    work: datetime.timedelta


@dataclass(frozen=True)
class Overtime:
    """By how much working time a limit was passed."""

    limit: Limit
    beyond: datetime.timedelta

    @property
    def beyond_seconds(self) -> int:
        return int(self.beyond.total_seconds())

    @property
    def tone(self) -> Tone:
        return Tone.VERY_LATE if self.beyond >= (VERY_LATE - 1) * self.limit.work else Tone.LATE


@dataclass(frozen=True)
class TimeLimits:
    """All limits, those for an attribution first, then those for a kind: the first that covers something counts."""

    limits: tuple[Limit, ...] = ()
    days: WorkingDays = field(default_factory=WorkingDays)

    def limit_of(self, state: str, kind: str, attribution: str) -> Limit | None:
        for limit in self.limits:
            if limit.state == state and limit.kind in {"", kind} and limit.attribution in {"", attribution}:
                return limit
        return None

    def overtime(
        self, state: str, kind: str, attribution: str, *, since: datetime.datetime | None, now: datetime.datetime
    ) -> Overtime | None:
        """None for what is not late, has no limit, or got its state before the desk noted that."""
        limit = self.limit_of(state, kind, attribution)
        if limit is None or since is None or since > self.late_since(limit, now):
            return None
        return Overtime(limit, self.days.worked(since, now) - limit.work)

    def late_since(self, limit: Limit, now: datetime.datetime, *, times: int = 1) -> datetime.datetime:
        """The moment in or before which something must have begun to be late `now`, by so many times the limit."""
        return self.days.moment_before(now, times * limit.work)


def by_precedence(limits: list[Limit]) -> tuple[Limit, ...]:
    return tuple(sorted(limits, key=lambda limit: (not limit.attribution, not limit.kind)))
