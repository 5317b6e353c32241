"""What is known about the whole desk at a moment. /readyz, /metrics and `status` say it, each in its own words."""

import datetime
from functools import cached_property

from django.db.models import Max

from integrations.clocks import clock_differences
from integrations.models import HEARTBEAT_LIMIT, Breaker, Heartbeat
from notifications.models import Notice
from orders.queries.doubts import Open, count_open
from orders.queries.pauses import oldest_due, oldest_retrying
from orders.services.failed_tasks import failed_tasks
from orders.services.refused_calls import refused_calls
from project.observability.expiry import Expiry, expiring


class Facts:
    """Each fact is one query, made when somebody first reads it. Raises django.db.Error if the database is away."""

    def __init__(self, now: datetime.datetime):
        self.now = now

    @cached_property
    def heartbeat_age(self) -> float | None:
        """Seconds since any cluster was last seen. None if there was none ever."""
        return self._seconds_since(Heartbeat.objects.aggregate(last=Max("seen_at"))["last"])

    @cached_property
    def oldest_due(self) -> dict[str, float]:
        """For each partner, for how many seconds its longest waiting step could have been claimed, or 0."""
        return oldest_due(now=self.now)

    @cached_property
    def oldest_retrying(self) -> dict[str, float]:
        """For each partner outside, for how many seconds its longest retried step has been tried, or 0."""
        return oldest_retrying(now=self.now)

    @cached_property
    def breakers(self) -> list[Breaker]:
        """The partners whose calls wait."""
        return list(Breaker.objects.filter(opened_at__isnull=False).order_by("partner"))

    @cached_property
    def refused_calls(self) -> dict | None:
        """The code by which most of BBOSS's calls are refused now, with figures. Two queries."""
        return refused_calls(now=self.now)

    @cached_property
    def failed_tasks(self) -> dict | None:
        """The newest error of ours in delivery, with how many there were. Two queries where there is one."""
        return failed_tasks(now=self.now)

    @cached_property
    def clocks(self) -> dict[str, float | None]:
        """By how many seconds this machine's clock is ahead of the database's and of BBOSS's. Two queries."""
        return clock_differences(now=self.now)

    @cached_property
    def expiring(self) -> list[Expiry]:
        """Tokens and certificates that end within 14 days."""
        return expiring(now=self.now)

    @cached_property
    def differences(self) -> Open:
        """The open differences with the big-data side."""
        return count_open()

    @property
    def difference_age(self) -> float:
        """For how many seconds the oldest difference has been open. 0 if there is none."""
        return self._seconds_since(self.differences.since) or 0.0

    @cached_property
    def notices_given_up(self) -> int:
        """Notices to staff of the last 7 days that did not go out."""
        return Notice.objects.given_up(self.now).count()

    def _seconds_since(self, at: datetime.datetime | None) -> float | None:
        return None if at is None else (self.now - at).total_seconds()


def is_alive(heartbeat_age: float | None) -> bool:
    """Whether a heartbeat of this age means that a worker is alive."""
    return heartbeat_age is not None and heartbeat_age < HEARTBEAT_LIMIT.total_seconds()
