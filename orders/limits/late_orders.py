"""Late orders, by a query: the index `order_in_time` (orders/db/indexes.py) has all orders with a limit."""

import datetime
from collections.abc import Iterable
from typing import NamedTuple

from django.db.models import (
    Case,
    CharField,
    Count,
    DateTimeField,
    Exists,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce

from orders.db.expressions import Among
from orders.db.indexes import STATES_WITH_LIMIT
from orders.limits.overtime import VERY_LATE, Limit, TimeLimits, by_precedence
from orders.limits.working_days import WorkingDays
from orders.models import CalendarDay, Conflict, Order, TimeLimit

HAS_LIMIT = Among("state", *STATES_WITH_LIMIT)
DAY = "day"
UNITS = {TimeLimit.Unit.DAYS: datetime.timedelta(days=1), TimeLimit.Unit.HOURS: datetime.timedelta(hours=1)}


def working_days() -> WorkingDays:
    """Returns the calendar, in one query: all entered days, a few dozen a year."""
    return WorkingDays(dict(CalendarDay.objects.values_list("day", "worked")))


def time_limits() -> TimeLimits:
    """Returns the limits and the calendar, in one query."""
    letters = Coalesce("attribution_id", Value(""))
    limits = TimeLimit.objects.order_by().values_list("state", "kind", "amount", "unit", letters)
    worked = Case(When(worked=True, then=1), default=0, output_field=IntegerField())
    days = CalendarDay.objects.order_by().values_list(
        Value(DAY), Cast("day", CharField()), worked, Value(""), Value("")
    )
    found, entered = [], {}
    for state, kind, amount, unit, letters in limits.union(days, all=True):
        if state == DAY:
            entered[datetime.date.fromisoformat(kind)] = bool(amount)
        else:
            found.append(Limit(state=state, kind=kind, attribution=letters, work=amount * UNITS[unit]))
    return TimeLimits(by_precedence(found), WorkingDays(entered))


def mark_overtime(orders: Iterable[Order], *, now: datetime.datetime) -> None:
    """Sets `overtime` on orders: an Overtime, or None if the order is not late. Makes at most one query."""
    orders = list(orders)
    limits = time_limits() if any(order.state in STATES_WITH_LIMIT for order in orders) else TimeLimits()
    for order in orders:
        order.overtime = limits.overtime(
            order.state, order.kind, order.attribution_id or "", since=order.state_since, now=now
        )


def mark_late_conflicts(rows: Iterable[Conflict], *, now: datetime.datetime) -> None:
    """Sets `overtime` on conflicts. Makes at most two queries, and no query if all conflicts are handled."""
    rows = list(rows)
    numbers = [row.order_number for row in rows if row.seen_id is None]
    limits = time_limits() if numbers else TimeLimits()
    orders = Order.objects.filter(number__in=numbers, attribution__isnull=False) if numbers else Order.objects.none()
    letters = dict(orders.values_list("number", "attribution_id"))
    for row in rows:
        since = row.received_at if row.seen_id is None else None
        place = letters.get(row.order_number, "")
        row.overtime = limits.overtime(TimeLimit.State.CONFLICT, "", place, since=since, now=now)


def is_late(limits: TimeLimits, *, now: datetime.datetime, times: int = 1) -> Q:
    """Returns the condition for orders that have been in their state for `times` their limit."""
    bounds = _bounds(limits, now, times)
    if not bounds:
        return Q(pk__in=[])
    latest = max(moment for _when, moment in bounds)  # end of the index range
    return Q(HAS_LIMIT, state_since__lte=latest) & Q(state_since__lte=_by_limit(bounds))


def became_late(limits: TimeLimits, *, since: datetime.datetime, until: datetime.datetime, times: int = 1) -> Q:
    """Returns the condition for orders that reached `times` their limit after `since` and not later than `until`."""
    before = _bounds(limits, since, times)
    if not before:
        return Q(pk__in=[])
    earliest = min(moment for _when, moment in before)  # start of the index range
    passed = Q(state_since__gt=earliest) & Q(state_since__gt=_by_limit(before))
    return is_late(limits, now=until, times=times) & passed


def _bounds(limits: TimeLimits, now: datetime.datetime, times: int) -> list[tuple[Q, datetime.datetime]]:
    """Returns for each limit the condition for its orders, and the time since which these orders are late.

    The first match counts.
    """
    own = [limit for limit in limits.limits if limit.state in STATES_WITH_LIMIT]
    return [(_covered(limit), limits.late_since(limit, now, times=times)) for limit in own]


def _by_limit(bounds: list[tuple[Q, datetime.datetime]]) -> Case:
    whens = [When(covered, then=Value(moment, DateTimeField())) for covered, moment in bounds]
    return Case(*whens, default=None, output_field=DateTimeField())


def _covered(limit: Limit) -> Q:
    kind = {"kind": limit.kind} if limit.kind else {}
    return Q(state=limit.state, **kind, **({"attribution": limit.attribution} if limit.attribution else {}))


def is_late_conflict(limits: TimeLimits, *, now: datetime.datetime, times: int = 1) -> Q:
    """Returns the condition for unhandled conflicts older than `times` their limit.

    The attribution of a conflict is the attribution of the order with the same number.
    """
    found, before = Q(pk__in=[]), Q()
    for limit in limits.limits:
        if limit.state == TimeLimit.State.CONFLICT:
            here = _of_attribution(limit.attribution) if limit.attribution else Q()
            found |= here & ~before & Q(received_at__lte=limits.late_since(limit, now, times=times))
            before |= here
    return found & Q(seen=None)


def _of_attribution(letters: str) -> Q:
    return Q(Exists(Order.objects.filter(number=OuterRef("order_number"), attribution=letters)))


class LateCount(NamedTuple):
    """The number of late orders of an attribution, and the number of very late orders among them.

    `letters`, `name`: the attribution, or empty if the orders have none. `of_conflicts`: counts conflicts of all
    attributions.
    """

    of_conflicts: bool
    letters: str
    name: str
    number: int
    very: int


def count_late(
    limits: TimeLimits, *, now: datetime.datetime, orders: QuerySet[Order], conflicts: QuerySet[Conflict]
) -> list[LateCount]:
    """Counts late orders by attribution, the largest number first, and late conflicts. Makes one query. Returns no rows
    if nothing is late."""
    nothing = Value("", CharField())
    parts = [
        (orders, is_late, Coalesce("attribution_id", nothing), Coalesce("attribution__name", nothing), False),
        (conflicts, is_late_conflict, nothing, nothing, True),
    ]
    rows = [
        part.filter(condition(limits, now=now))
        .order_by()
        .annotate(letters=letters, place=place, of_conflicts=Value(of_conflicts))
        .values_list("of_conflicts", "letters", "place")
        .annotate(number=Count("pk"), very=Count("pk", filter=condition(limits, now=now, times=VERY_LATE)))
        for part, condition, letters, place, of_conflicts in parts
    ]
    found = [LateCount(*row) for row in rows[0].union(rows[1], all=True)]
    return sorted(found, key=lambda row: (row.of_conflicts, -row.number, row.letters))
