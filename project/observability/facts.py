"""What is known about the desk at a moment. /readyz, /metrics, `status` and the dashboard say it in their own words."""

import datetime
from collections.abc import Collection
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from django.db.models import Count, DateTimeField, F, Min, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast

from integrations.bboss.clocks import clock_differences
from integrations.models import HEARTBEAT_LIMIT, Breaker, Heartbeat
from notifications.models import TOLD_FOR, Mail
from orders.incidents.awaiting_approval import asked_at, returned
from orders.incidents.desk_incidents import failed_tasks, refused_calls
from orders.incidents.order_warnings import UNBILLED, Open, open_differences
from orders.incidents.stuck import is_stuck
from orders.lists.scope import attributions_of, by_number, limit
from orders.models import AffectedOrder, Dispatch, Incident, Order
from orders.models.proxies import open_conflicts
from orders.pauses.paused_steps import PauseInForce, pauses_in_force, seconds_due
from orders.restore.restored_guard import read_restore_state
from orders.rules.steps import OUTSIDE, PARTNERS, Channel, Partner
from project.observability.expiry import Expiry, expiring
from project.trail_syslog import stuck_trail

DUE, TRIED, SHUT = "due", "tried", "shut"
ALL = Count("*")


class Waits(StrEnum):
    NEEDING = "needing"
    UNKNOWN = "unknown"  # numbers that differ and have no order
    AWAITING = "awaiting"
    RETURNED = "returned"
    DIFFERENCES = "differences"
    UNBILLED = "unbilled"
    CONFLICTS = "conflicts"
    NOTICES = "notices"


class Group(NamedTuple):
    """How many wait for people, and since when the oldest does. `state` and `held` are told of stuck orders only."""

    what: str
    state: str = ""
    held: str = ""
    number: int = 0
    since: datetime.datetime | None = None


class Calls(NamedTuple):
    """Calls that wait: to a channel, or all to a partner; and since when the first one does."""

    what: str
    where: str
    number: int
    since: datetime.datetime | None
    error: str


class Facts:
    """Each fact is one query, made when somebody first reads it. Raises django.db.Error if the database is away.

    `user`: only what this person's attributions show; rights are for the caller to look at. `asks`: what is counted of
    what waits for people, in one query.
    """

    def __init__(
        self,
        now: datetime.datetime,
        *,
        user=None,
        asks: Collection[str] = (Waits.NEEDING, Waits.UNKNOWN, Waits.DIFFERENCES, Waits.UNBILLED, Waits.NOTICES),
    ):
        self.now, self.user, self.asks = now, user, asks

    def _seen(self, rows: QuerySet, path: str = "order__attribution") -> QuerySet:
        return limit(rows, self.user, path) if self.user else rows

    @cached_property
    def restored(self) -> bool:
        """Whether the database counts as restored now. Pages ask `is_restored`, which mostly makes no query."""
        return read_restore_state().restored

    @cached_property
    def heartbeats(self) -> list[Heartbeat]:
        return list(Heartbeat.objects.order_by("-seen_at"))

    @property
    def heartbeat_age(self) -> float | None:
        """Seconds since a cluster was last seen, or until a moment that a wrong clock wrote. None if there is none."""
        return min((abs((self.now - row.seen_at).total_seconds()) for row in self.heartbeats), default=None)

    @cached_property
    def _calls(self) -> list[Calls]:
        """What is to be sent (`DUE`) and what is tried in vain (`TRIED`), by channel; whose calls wait (`SHUT`)."""
        fine, steps = Value("", TextField()), self._seen(Dispatch.objects.open())
        due = Min("next_try_at", filter=Q(next_try_at__lte=self.now))
        tried = steps.filter(superseded=False, tries_left__isnull=False)
        shut = Breaker.objects.filter(opened_at__isnull=False)
        mail, mails = Value(Channel.MAIL), self._seen(Mail.objects.open())
        parts = [
            (DUE, F("channel"), steps, due, fine),
            (TRIED, F("channel"), tried, Min("frozen_at"), fine),
            (DUE, mail, mails, due, fine),
            (TRIED, mail, mails.filter(tries_left__isnull=False), Min("frozen_at"), fine),
            (SHUT, F("partner"), shut, Min("opened_at"), F("last_error")),
        ]
        rows = [
            part.order_by()
            .annotate(what=Value(what), where=where)
            .values_list("what", "where")
            .annotate(number=ALL, since=since, told=told)
            for what, where, part, since, told in parts
        ]
        return [Calls(*row) for row in rows[0].union(*rows[1:], all=True)]

    @property
    def breakers(self) -> list[Breaker]:
        shut = sorted((row for row in self._calls if row.what == SHUT), key=lambda row: row.where)
        return [Breaker(partner=row.where, opened_at=row.since, last_error=row.error) for row in shut]

    def backlog(self, partner: str, what: str = DUE) -> tuple[int, datetime.datetime | None]:
        """How many steps are to be sent to a partner, and since when the oldest is due; None if none is due yet."""
        rows = [row for row in self._calls if row.what == what and PARTNERS[row.where] == partner]
        return sum(row.number for row in rows), min((row.since for row in rows if row.since), default=None)

    @cached_property
    def oldest_due(self) -> dict[str, float]:
        """For each partner, for how many seconds its longest waiting step could have been claimed, or 0."""
        since = {partner: self.backlog(partner)[1] for partner in Partner.values}
        return dict.fromkeys(since, 0.0) | seconds_due(since, now=self.now)

    @cached_property
    def oldest_retrying(self) -> dict[str, float]:
        """For each partner outside, for how many seconds its longest retried step has been tried without success, or 0.

        It counts from the step's or mail's first attempt, also while the next one runs, and not during a pause.
        """
        since = {partner: self.backlog(partner, TRIED)[1] for partner in OUTSIDE}
        return dict.fromkeys(since, 0.0) | seconds_due(since, now=self.now)

    @cached_property
    def refused_calls(self) -> dict | None:
        """The code by which most of BBOSS's calls are refused now, with figures. Two queries."""
        return refused_calls(now=self.now)

    @cached_property
    def failed_tasks(self) -> dict | None:
        """The newest error of ours in delivery, with how many there were. Two queries where there is one."""
        return failed_tasks(now=self.now)

    @cached_property
    def stuck_trail(self) -> dict | None:
        """How many acts wait for AUDIT_SYSLOG that has taken nothing for long. One query, four where it is so."""
        return stuck_trail(now=self.now)

    @cached_property
    def clocks(self) -> dict[str, float | None]:
        """By how many seconds this machine's clock is ahead of the database's and of BBOSS's. Two queries."""
        return clock_differences(now=self.now)

    @cached_property
    def pauses(self) -> list[PauseInForce]:
        """The pauses in force. Pages have them by `pauses_for`. Two queries where there is one."""
        return pauses_in_force(now=self.now)

    @cached_property
    def expiring(self) -> list[Expiry]:
        return expiring(now=self.now)

    @cached_property
    def incidents(self) -> list[Incident]:
        """The incidents that are not over, with the number of orders that each still stops. The largest come first."""
        rows, still = Incident.objects.unresolved(), Q(affected__closed_at=None)
        letters = attributions_of(self.user) if self.user else None
        if letters is not None:  # as the list of incidents shows them
            still &= Q(affected__order__attribution__in=letters)
            rows = rows.filter(pk__in=self._seen(AffectedOrder.objects.all()).values("incident"))
        return list(rows.annotate(still=Count("affected", filter=still)).order_by("-still", "-pk"))

    @cached_property
    def waiting(self) -> list[Group]:
        """What waits for people, as far as `asks` names it. There is a group for each state and reason of stuck orders,
        and one for each of the others; none where nothing waits."""
        # PostgreSQL takes two bare NULLs in a row of a UNION for texts.
        nobody, never = Value(""), Cast(Value(None), DateTimeField())
        orders, differences = self._seen(Order.objects.all(), "attribution"), self._seen(open_differences())
        approval = orders.filter(state=Order.State.AWAITING_APPROVAL).annotate(asked=asked_at())
        conflicts = by_number(open_conflicts(), self.user) if self.user else open_conflicts()
        served = differences.filter(UNBILLED)
        parts = [
            (Waits.NEEDING, orders.filter(is_stuck()), F("state"), F("held_because"), ALL, never),
            (Waits.UNKNOWN, differences.filter(order=None), nobody, nobody, Count("job_id", distinct=True), never),
            (Waits.AWAITING, approval, nobody, nobody, ALL, Min("asked")),
            (Waits.RETURNED, self._seen(returned()), nobody, nobody, ALL, Min("received_at")),
            (Waits.DIFFERENCES, differences, nobody, nobody, ALL, Min("found_at")),
            (Waits.UNBILLED, served, nobody, nobody, Count("order", distinct=True), Min("found_at")),
            (Waits.CONFLICTS, conflicts, nobody, nobody, ALL, Min("received_at")),
            (Waits.NOTICES, mails_given_up(self.now), nobody, nobody, ALL, Min("written_at")),
        ]
        rows = [
            part.order_by()
            .annotate(what=Value(what), word=state, why=because)
            .values_list("what", "word", "why")
            .annotate(number=number, since=since)
            for what, part, state, because, number, since in parts
            if what in self.asks
        ]
        return [Group(*row) for row in rows[0].union(*rows[1:], all=True)] if rows else []

    def group(self, what: str) -> Group:
        """What waits of this kind. Raises LookupError if it was not asked: nobody takes that for none."""
        if what not in self.asks:
            raise LookupError(what)
        return next((row for row in self.waiting if row.what == what), Group(what))

    @property
    def stuck(self) -> int:
        """How many orders and unknown numbers need somebody. The dashboard shows the orders of its reader alone."""
        if Waits.NEEDING not in self.asks:
            raise LookupError(Waits.NEEDING)
        orders = sum(row.number for row in self.waiting if row.what == Waits.NEEDING)
        return orders + self.group(Waits.UNKNOWN).number

    @property
    def differences(self) -> Open:
        """The open differences with the big-data side, and the orders that have service and no record there."""
        found = self.group(Waits.DIFFERENCES)
        return Open(number=found.number, unbilled=self.group(Waits.UNBILLED).number, since=found.since)

    @property
    def notices_given_up(self) -> int:
        return self.group(Waits.NOTICES).number

    @property
    def difference_age(self) -> float:
        """For how many seconds the oldest difference has been open. 0 if there is none."""
        return self._seconds_since(self.differences.since) or 0.0

    def _seconds_since(self, at: datetime.datetime | None) -> float | None:
        return None if at is None else (self.now - at).total_seconds()


def mails_given_up(now: datetime.datetime) -> QuerySet[Mail]:
    """The mails to staff of the last days that did not go out and nobody has sent again. Older ones are history."""
    return Mail.objects.given_up().to_staff().filter(written_at__gte=now - TOLD_FOR)


def is_alive(heartbeat_age: float | None) -> bool:
    return heartbeat_age is not None and heartbeat_age < HEARTBEAT_LIMIT.total_seconds()
