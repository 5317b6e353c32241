"""A snapshot of the desk's state, for /readyz, /metrics, `status` and the dashboard."""

import datetime
from collections.abc import Collection
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from django.db.models import Case, Count, DateTimeField, F, Min, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast

from integrations.bboss.clocks import clock_differences
from integrations.models import HEARTBEAT_LIMIT, Breaker, Heartbeat
from notifications.models import FAILURES_SHOWN_FOR, Mail
from orders.history.owners import counts
from orders.incidents.awaiting_approval import asked_at, returned
from orders.incidents.desk_incidents import failed_tasks, refused_calls
from orders.incidents.order_warnings import UNBILLED, Open, open_differences
from orders.incidents.stuck import is_stuck
from orders.lists.scope import attributions_of, by_number, limit
from orders.models import AffectedOrder, Dispatch, Incident, Order
from orders.models.proxies import open_conflicts
from orders.pauses.paused_steps import PauseInForce, pauses_in_force, seconds_due
from orders.restore.detect_restore import read_restore_state
from orders.rules.steps import OUTSIDE, PARTNERS, Channel, Partner
from project.observability.expiring_soon import Expiry, expiring
from project.trail_syslog import stuck_trail

CALLS_DUE, CALLS_RETRIED, BREAKERS_OPEN = "due", "tried", "shut"
COUNT_ALL = Count("*")


class WaitsFor(StrEnum):
    NEEDING = "needing"  # stuck orders with an owner
    NOBODYS = "nobodys"  # the other stuck orders
    UNKNOWN = "unknown"  # differing numbers that belong to no order
    AWAITING = "awaiting"
    RETURNED = "returned"
    DIFFERENCES = "differences"
    UNBILLED = "unbilled"
    CONFLICTS = "conflicts"
    NOTICES = "notices"


class WaitingGroup(NamedTuple):
    """The number of items that wait for staff, and the time of the oldest."""

    what: str
    number: int = 0
    since: datetime.datetime | None = None


class WaitingCalls(NamedTuple):
    """The number and earliest time of a channel's waiting calls, or an open breaker of a partner."""

    what: str
    where: str
    number: int
    since: datetime.datetime | None
    error: str


class DeskSnapshot:
    """The state of the desk at a given time. Each value is queried when it is first read.

    If the database is unavailable, raises django.db.Error. With `user`, only rows within this user's attributions are
    counted. The caller must check the user's permissions. `kinds` are the kinds of waiting items to count, in one
    query.
    """

    def __init__(
        self,
        now: datetime.datetime,
        *,
        user=None,
        kinds: Collection[str] = (
            WaitsFor.NEEDING,
            WaitsFor.UNKNOWN,
            WaitsFor.DIFFERENCES,
            WaitsFor.UNBILLED,
            WaitsFor.NOTICES,
        ),
    ):
        self.now, self.user, self.kinds = now, user, kinds

    def _seen(self, rows: QuerySet, path: str = "order__attribution") -> QuerySet:
        return limit(rows, self.user, path) if self.user else rows

    @cached_property
    def restored(self) -> bool:
        """True if the database counts as restored. Pages use `is_restored` instead, which mostly needs no query."""
        return read_restore_state().restored

    @cached_property
    def heartbeats(self) -> list[Heartbeat]:
        return list(Heartbeat.objects.order_by("-seen_at"))

    @property
    def heartbeat_age(self) -> float | None:
        """The seconds since the last heartbeat of any cluster, or until it if a wrong clock has put it into the future.
        None if there is no heartbeat.
        """
        return min((abs((self.now - row.seen_at).total_seconds()) for row in self.heartbeats), default=None)

    @cached_property
    def _calls(self) -> list[WaitingCalls]:
        """Returns unsent calls (CALLS_DUE) and retried calls (CALLS_RETRIED) by channel, and open breakers by
        partner."""
        fine, steps = Value("", TextField()), self._seen(Dispatch.objects.open())
        due = Min("next_try_at", filter=Q(next_try_at__lte=self.now))
        tried = steps.filter(superseded=False, tries_left__isnull=False)
        shut = Breaker.objects.filter(opened_at__isnull=False)
        mail, mails = Value(Channel.MAIL), self._seen(Mail.objects.open())
        parts = [
            (CALLS_DUE, F("channel"), steps, due, fine),
            (CALLS_RETRIED, F("channel"), tried, Min("frozen_at"), fine),
            (CALLS_DUE, mail, mails, due, fine),
            (CALLS_RETRIED, mail, mails.filter(tries_left__isnull=False), Min("frozen_at"), fine),
            (BREAKERS_OPEN, F("partner"), shut, Min("opened_at"), F("last_error")),
        ]
        rows = [
            part.order_by()
            .annotate(what=Value(what), where=where)
            .values_list("what", "where")
            .annotate(number=COUNT_ALL, since=since, told=told)
            for what, where, part, since, told in parts
        ]
        return [WaitingCalls(*row) for row in rows[0].union(*rows[1:], all=True)]

    @property
    def breakers(self) -> list[Breaker]:
        shut = sorted((row for row in self._calls if row.what == BREAKERS_OPEN), key=lambda row: row.where)
        return [Breaker(partner=row.where, opened_at=row.since, last_error=row.error) for row in shut]

    def backlog(self, partner: str, what: str = CALLS_DUE) -> tuple[int, datetime.datetime | None]:
        """Returns the number of a partner's open steps (by default of unsent steps), and the time of the oldest step.
        If there is no step, the time is None.
        """
        rows = [row for row in self._calls if row.what == what and PARTNERS[row.where] == partner]
        return sum(row.number for row in rows), min((row.since for row in rows if row.since), default=None)

    @cached_property
    def oldest_due(self) -> dict[str, float]:
        """The waiting time of each partner's oldest due step in seconds, or 0 if no step is due."""
        since = {partner: self.backlog(partner)[1] for partner in Partner.values}
        return dict.fromkeys(since, 0.0) | seconds_due(since, now=self.now)

    @cached_property
    def oldest_retrying(self) -> dict[str, float]:
        """The seconds since the first attempt of the oldest step in retry, for each external partner. 0 if there is
        none.

        The attempt in progress counts too. The time during a pause does not count.
        """
        since = {partner: self.backlog(partner, CALLS_RETRIED)[1] for partner in OUTSIDE}
        return dict.fromkeys(since, 0.0) | seconds_due(since, now=self.now)

    @cached_property
    def refused_calls(self) -> dict | None:
        """The most frequent code of BBOSS's refused calls, with the figures. Needs two queries."""
        return refused_calls(now=self.now)

    @cached_property
    def failed_tasks(self) -> dict | None:
        """The newest error of our code in delivery, and the number of errors. Needs two queries if there is an
        error."""
        return failed_tasks(now=self.now)

    @cached_property
    def stuck_trail(self) -> dict | None:
        """The number of acts that wait for AUDIT_SYSLOG, if no act has been sent for long. Needs one query, or four if
        acts are waiting.
        """
        return stuck_trail(now=self.now)

    @cached_property
    def clocks(self) -> dict[str, float | None]:
        """The seconds by which this machine's clock is ahead of the database's and of BBOSS's. Needs two queries."""
        return clock_differences(now=self.now)

    @cached_property
    def pauses(self) -> list[PauseInForce]:
        """The pauses in force. Pages use `pauses_for` instead. If there is a pause, needs two queries."""
        return pauses_in_force(now=self.now)

    @cached_property
    def expiring(self) -> list[Expiry]:
        return expiring(now=self.now)

    @cached_property
    def incidents(self) -> list[Incident]:
        """The open incidents, each with the number of orders that it still blocks. The incident with most orders is
        first."""
        rows, still = Incident.objects.unresolved(), Q(affected__closed_at=None)
        letters = attributions_of(self.user) if self.user else None
        if letters is not None:  # as the list of incidents shows them
            still &= Q(affected__order__attribution__in=letters)
            rows = rows.filter(pk__in=self._seen(AffectedOrder.objects.all()).values("incident"))
        return list(rows.annotate(still=Count("affected", filter=still)).order_by("-still", "-pk"))

    @cached_property
    def waiting(self) -> list[WaitingGroup]:
        """The items of these `kinds` that wait for staff.

        Each kind with items has one group. Items of NEEDING without an owner are in the group NOBODYS instead.
        """
        # If a row of a UNION has two bare NULLs, PostgreSQL takes them for texts.
        never = Cast(Value(None), DateTimeField())
        orders, differences = self._seen(Order.objects.all(), "attribution"), self._seen(open_differences())
        approval = orders.filter(state=Order.State.AWAITING_APPROVAL).annotate(asked=asked_at())
        conflicts = by_number(open_conflicts(), self.user) if self.user else open_conflicts()
        served = differences.filter(UNBILLED)
        unowned = Case(When(~counts(Order), then=Value(WaitsFor.NOBODYS)), default=Value(WaitsFor.NEEDING))
        parts = [
            (WaitsFor.NEEDING, orders.filter(is_stuck()), COUNT_ALL, never),
            (WaitsFor.UNKNOWN, differences.filter(order=None), Count("job_id", distinct=True), never),
            (WaitsFor.AWAITING, approval, COUNT_ALL, Min("asked")),
            (WaitsFor.RETURNED, self._seen(returned()), COUNT_ALL, Min("received_at")),
            (WaitsFor.DIFFERENCES, differences, COUNT_ALL, Min("found_at")),
            (WaitsFor.UNBILLED, served, Count("order", distinct=True), Min("found_at")),
            (WaitsFor.CONFLICTS, conflicts, COUNT_ALL, Min("received_at")),
            (WaitsFor.NOTICES, mails_given_up(self.now), COUNT_ALL, Min("written_at")),
        ]
        rows = [
            part.order_by()
            .annotate(what=unowned if what == WaitsFor.NEEDING else Value(what))
            .values_list("what")
            .annotate(number=number, since=since)
            for what, part, number, since in parts
            if what in self.kinds
        ]
        return [WaitingGroup(*row) for row in rows[0].union(*rows[1:], all=True)] if rows else []

    def group(self, what: str) -> WaitingGroup:
        """Returns the group of this kind. If there are no items, the group is empty. If the kind is not in `kinds`,
        raises LookupError."""
        if what not in self.kinds:
            raise LookupError(what)
        return next((row for row in self.waiting if row.what == what), WaitingGroup(what))

    @property
    def stuck(self) -> int:
        """The number of orders and unknown numbers that need staff, within the user's attributions."""
        return self.needing + self.group(WaitsFor.UNKNOWN).number

    @property
    def needing(self) -> int:
        return self.group(WaitsFor.NEEDING).number + self.nobodys

    @property
    def nobodys(self) -> int:
        """The number of stuck orders without an owner."""
        return next((row.number for row in self.waiting if row.what == WaitsFor.NOBODYS), 0)

    @property
    def differences(self) -> Open:
        """The open differences with the big-data side, and the number of active orders without a record there."""
        found = self.group(WaitsFor.DIFFERENCES)
        return Open(number=found.number, unbilled=self.group(WaitsFor.UNBILLED).number, since=found.since)

    @property
    def notices_given_up(self) -> int:
        return self.group(WaitsFor.NOTICES).number

    @property
    def difference_age(self) -> float:
        """The age of the oldest open difference in seconds. 0 if there is no difference."""
        return self._seconds_since(self.differences.since) or 0.0

    def _seconds_since(self, at: datetime.datetime | None) -> float | None:
        return None if at is None else (self.now - at).total_seconds()


def mails_given_up(now: datetime.datetime) -> QuerySet[Mail]:
    """Returns the mails to staff that were recently given up and have not been sent again."""
    return Mail.objects.given_up().to_staff().filter(written_at__gte=now - FAILURES_SHOWN_FOR)


def is_alive(heartbeat_age: float | None) -> bool:
    return heartbeat_age is not None and heartbeat_age < HEARTBEAT_LIMIT.total_seconds()
