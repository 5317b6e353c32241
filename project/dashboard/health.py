"""Partners and workers: what waits for whom, and whether somebody works. Pure."""

import datetime
from dataclasses import dataclass

from django.utils.functional import Promise

from integrations.models import HEARTBEAT_LIMIT, Heartbeat
from orders.pages.history import PARTNER_NAMES as PARTNERS
from orders.services.incidents import PARTNERS as PARTNER_OF
from project.dashboard.figures import DUE, SHUT
from project.dashboard.links import listing

SHOWN = ["bigdata", "bpm", "mail", "files"]


@dataclass(frozen=True)
class Partner:
    """What is to be sent to one partner, since when the oldest is due, and whether its calls wait."""

    name: str | Promise
    number: int
    oldest: datetime.datetime | None
    shut: bool
    url: str
    breaker_url: str


def partners_of(rows: list[tuple]) -> list[Partner]:
    """From the rows of `figures.backlog`."""
    shut = {name for what, name, _number, _since in rows if what == SHUT}
    due = [row for row in rows if row[0] == DUE]
    return [_partner(name, [row for row in due if PARTNER_OF[row[1]] == name], name in shut) for name in SHOWN]


def _partner(name: str, rows: list[tuple], shut: bool) -> Partner:
    oldest = min((row[3] for row in rows if row[3]), default=None)
    url = listing("orders_dispatch", backlog="yes", partner=name)
    number = sum(row[2] for row in rows)
    return Partner(PARTNERS[name], number, oldest, shut, url, listing("integrations_breaker"))


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
