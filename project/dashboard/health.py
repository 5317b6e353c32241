"""Partners and workers: what waits for whom, and whether somebody works. Pure."""

import datetime
from dataclasses import dataclass

from django.utils.functional import Promise

from integrations.models import HEARTBEAT_LIMIT, Breaker, Heartbeat
from orders.pages.history import PARTNER_NAMES as PARTNERS
from orders.services.incidents import PARTNERS as PARTNER_OF
from project.dashboard.links import listing

SHOWN = ["bigdata", "bpm", "mail", "files"]


@dataclass(frozen=True)
class Partner:
    """What is to be sent to one partner, since when the oldest is due, and its breaker if it is open."""

    name: str | Promise
    number: int
    oldest: datetime.datetime | None
    breaker: Breaker | None
    url: str
    breaker_url: str


def partners_of(rows: list[tuple], breakers: list[Breaker]) -> list[Partner]:
    """From the rows of `figures.backlog`."""
    opened = {breaker.partner: breaker for breaker in breakers}
    return [_partner(name, [row for row in rows if PARTNER_OF[row[0]] == name], opened.get(name)) for name in SHOWN]


def _partner(name: str, rows: list[tuple], breaker: Breaker | None) -> Partner:
    oldest = min((row[2] for row in rows if row[2]), default=None)
    url = listing("orders_dispatch", backlog="yes", partner=name)
    number = sum(row[1] for row in rows)
    return Partner(PARTNERS[name], number, oldest, breaker, url, listing("integrations_breaker"))


@dataclass(frozen=True)
class Worker:
    """The liveliest cluster's last sign of life."""

    seen_at: datetime.datetime | None
    alive: bool
    replaced: int
    clusters: int
    url: str


def worker_of(rows: list[Heartbeat], now: datetime.datetime) -> Worker:
    """From all heartbeats, the liveliest first."""
    seen = rows[0].seen_at if rows else None
    alive = seen is not None and now - seen < HEARTBEAT_LIMIT
    fresh = sum(now - row.seen_at < HEARTBEAT_LIMIT for row in rows)
    return Worker(seen, alive, rows[0].replaced if rows else 0, fresh, listing("integrations_heartbeat"))
