"""Partners and workers: what waits for whom, and whether somebody works. Pure."""

import datetime
from collections.abc import Collection
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise

from integrations.models import HEARTBEAT_LIMIT, Heartbeat
from orders.models import Pause
from orders.order_page.history import PARTNER_NAMES as PARTNERS
from orders.steps import PARTNERS as PARTNER_OF
from project.dashboard.figures import DUE, SHUT
from project.dashboard.links import listing

SHOWN = ["bigdata", "bpm", "mail", "files"]


@dataclass(frozen=True)
class Partner:
    """What is to be sent to one partner, since when the oldest is due, whether its calls wait, and whether staff
    hold them back. `act_url`: where it is paused or resumed; empty where it can't be."""

    name: str | Promise
    number: int
    oldest: datetime.datetime | None
    shut: bool
    url: str
    breaker_url: str
    paused: bool = False
    act_url: str = ""


def partners_of(rows: list[tuple], paused: Collection[str]) -> list[Partner]:
    """From the rows of `figures.backlog`, and the names of the partners that are paused."""
    shut = {name for what, name, _number, _since in rows if what == SHUT}
    due = [row for row in rows if row[0] == DUE]
    return [
        _partner(name, [row for row in due if PARTNER_OF[row[1]] == name], shut=name in shut, paused=name in paused)
        for name in SHOWN
    ]


def _partner(name: str, rows: list[tuple], *, shut: bool, paused: bool) -> Partner:
    """What waits for a paused partner is not late, so its oldest step is not told."""
    oldest = None if paused else min((row[3] for row in rows if row[3]), default=None)
    url = listing("orders_dispatch", backlog="yes", partner=name)
    number = sum(row[2] for row in rows)
    act = f"admin:orders_{'resume' if paused else 'pause'}_partner"
    act_url = reverse(act, args=[name]) if name in Pause.Partner.values else ""
    return Partner(PARTNERS[name], number, oldest, shut, url, listing("integrations_breaker"), paused, act_url)


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
