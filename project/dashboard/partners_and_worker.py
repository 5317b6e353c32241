"""Partners and workers: the waiting steps by partner, and whether a worker is alive. Pure."""

import datetime
from collections.abc import Collection
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from orders.rules.steps import OUTSIDE, Partner
from project.dashboard.number_tiles import listing
from project.observability.desk_snapshot import DeskSnapshot, is_alive


@dataclass(frozen=True)
class PartnerHealth:
    """The waiting steps of one partner, and since when the oldest is due.

    `shut`: its circuit breaker is open, so its calls wait. `paused`: staff hold its calls back. `act_url` is the page
    that pauses or resumes it, or empty if it can't be paused.
    """

    key: str
    name: str | Promise
    number: int
    oldest: datetime.datetime | None
    shut: bool
    url: str
    breaker_url: str
    paused: bool = False
    act_url: str = ""

    @property
    def fine(self) -> bool:
        return not (self.shut or self.paused or self.oldest)


def partners_of(facts: DeskSnapshot, paused: Collection[str]) -> list[PartnerHealth]:
    shut = {row.partner for row in facts.breakers}
    return [_partner(name, *facts.backlog(name), shut=name in shut, paused=name in paused) for name in Partner.values]


def _partner(name: str, number: int, oldest: datetime.datetime | None, *, shut: bool, paused: bool) -> PartnerHealth:
    """Makes one partner. Steps for a paused partner are not late, so the age of the oldest one is left out."""
    oldest = None if paused else oldest
    url = listing("orders_dispatch", backlog="yes", partner=name)
    act = f"admin:orders_{'resume' if paused else 'pause'}_partner"
    act_url = reverse(act, args=[name]) if name in OUTSIDE else ""
    return PartnerHealth(
        name, Partner(name).label, number, oldest, shut, url, listing("integrations_breaker"), paused, act_url
    )


@dataclass(frozen=True)
class Worker:
    seen_at: datetime.datetime | None
    alive: bool
    replaced: int
    url: str

    @property
    def silence(self) -> str:
        """The sentence that no worker is alive, or "" if one is."""
        if self.alive:
            return ""
        return _("No worker has given a sign of life for two minutes") if self.seen_at else _("No worker is running")


def worker_of(facts: DeskSnapshot) -> Worker:
    last = facts.heartbeats[0] if facts.heartbeats else None
    url = listing("integrations_heartbeat")
    return Worker(last and last.seen_at, is_alive(facts.heartbeat_age), last.replaced if last else 0, url)
