"""The dashboard's blocks of partners (waiting steps) and of the worker (last heartbeat). Pure."""

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
    """The number of a partner's waiting steps, and the time at which the oldest of them was due.

    `shut` is True while the partner's circuit breaker is open. `paused` is True while staff have paused the partner.
    `act_url` is the page that pauses or resumes the partner. It is empty if the partner can't be paused.
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
    """Returns a partner's block. Steps of a paused partner are not late, so the block then has no oldest step."""
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
        """Returns a warning if no worker is alive. Otherwise returns an empty text."""
        if self.alive:
            return ""
        return _("No worker has given a sign of life for two minutes") if self.seen_at else _("No worker is running")


def worker_of(facts: DeskSnapshot) -> Worker:
    last = facts.heartbeats[0] if facts.heartbeats else None
    url = listing("integrations_heartbeat")
    return Worker(last and last.seen_at, is_alive(facts.heartbeat_age), last.replaced if last else 0, url)
