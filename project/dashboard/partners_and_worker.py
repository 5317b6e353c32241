"""Partners and workers: what waits for which partner, and whether a worker is alive. Pure."""

import datetime
from collections.abc import Collection
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from integrations.models import HEARTBEAT_LIMIT, Heartbeat
from orders.steps import OUTSIDE, PARTNERS, Partner
from project.dashboard.figures import DUE, SHUT
from project.dashboard.links import listing


@dataclass(frozen=True)
class PartnerHealth:
    """What waits for one partner, and since when its oldest step is due.

    `shut`: its calls wait. `paused`: staff hold them back. `act_url` leads to pausing or resuming it; empty if that is
    not possible.
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


def partners_of(rows: list[tuple], paused: Collection[str]) -> list[PartnerHealth]:
    """Makes the list from the rows of `figures.backlog` and the names of paused partners."""
    shut = {name for what, name, _number, _since in rows if what == SHUT}
    due = [row for row in rows if row[0] == DUE]
    return [
        _partner(name, [row for row in due if PARTNERS[row[1]] == name], shut=name in shut, paused=name in paused)
        for name in Partner.values
    ]


def _partner(name: str, rows: list[tuple], *, shut: bool, paused: bool) -> PartnerHealth:
    """Makes one partner. Steps for a paused partner are not late, so the age of the oldest one is left out."""
    oldest = None if paused else min((row[3] for row in rows if row[3]), default=None)
    url = listing("orders_dispatch", backlog="yes", partner=name)
    number = sum(row[2] for row in rows)
    act = f"admin:orders_{'resume' if paused else 'pause'}_partner"
    act_url = reverse(act, args=[name]) if name in OUTSIDE else ""
    return PartnerHealth(
        name, Partner(name).label, number, oldest, shut, url, listing("integrations_breaker"), paused, act_url
    )


@dataclass(frozen=True)
class Worker:
    """The last heartbeat of any cluster."""

    seen_at: datetime.datetime | None
    alive: bool
    replaced: int
    clusters: int
    url: str

    @property
    def silence(self) -> str:
        """That no worker lives, in words; empty if one does. One that ended in order leaves no heartbeat."""
        if self.alive:
            return ""
        return _("No worker has given a sign of life for two minutes") if self.seen_at else _("No worker is running")


def worker_of(rows: list[Heartbeat], now: datetime.datetime) -> Worker:
    """Makes it from all heartbeats, latest first."""
    seen = rows[0].seen_at if rows else None
    alive = seen is not None and now - seen < HEARTBEAT_LIMIT
    fresh = sum(now - row.seen_at < HEARTBEAT_LIMIT for row in rows)
    return Worker(seen, alive, rows[0].replaced if rows else 0, fresh, listing("integrations_heartbeat"))
