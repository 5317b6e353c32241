"""Time limits, and the overtime beyond them. Pure; times are aware.

An order is late if it has stayed in its state for its limit in working time (orders/limits/working_days.py). At twice
the limit, the order is very late.
"""

import datetime
from dataclasses import dataclass, field
from enum import StrEnum

from orders.limits.working_days import WorkingDays

VERY_LATE = 2  # times the limit


class Tone(StrEnum):
    """The degree of lateness, as the name of the page's tone."""

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
    """The working time beyond a limit."""

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
    """All limits. The limits for an attribution come first, then the limits for a kind. The first match counts."""

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
        """Returns the overtime of an order. Returns None if the order is not late, has no limit, or entered its state
        before these times were stored."""
        limit = self.limit_of(state, kind, attribution)
        if limit is None or since is None or since > self.late_since(limit, now):
            return None
        return Overtime(limit, self.days.worked(since, now) - limit.work)

    def late_since(self, limit: Limit, now: datetime.datetime, *, times: int = 1) -> datetime.datetime:
        """Returns the latest start time for which something is late `now`, by `times` the limit."""
        return self.days.moment_before(now, times * limit.work)


def by_precedence(limits: list[Limit]) -> tuple[Limit, ...]:
    return tuple(sorted(limits, key=lambda limit: (not limit.attribution, not limit.kind)))
