"""The dashboard's queries. Each returns only rows that the user may see."""

import datetime

from django.db import connection
from django.db.models import Count, DateField, DateTimeField, Exists, F, Func, OuterRef, Value
from django.db.models.functions import TruncDate
from django.utils import timezone

from orders.admin.order_filters import overdue
from orders.incidents.awaiting_approval import asked_at, returned
from orders.incidents.incident_codes import PARTNER_PAUSED
from orders.limits.late_orders import LateCount, count_late, time_limits
from orders.lists.filter_kinds import DAY
from orders.lists.scope import by_number, limit
from orders.models import AffectedOrder, Conflict, Order
from orders.rules.local_time import midnight
from orders.trials.trial_state_reads import trials_ending
from project.observability.desk_snapshot import COUNT_ALL

STOPPED = "stopped"
OVERDUE, ENDING = "overdue", "ending"
SHOWN = 5


def orders_per_day(user, *, first: datetime.date) -> list[tuple]:
    """Returns the counts for the chart.

    The rows are (day, kind, state, number) of orders received since `first`, and (day, "stopped", "", number) of orders
    that an incident has stopped since `first`.

    An order that several incidents stopped on a day is counted once.
    """
    orders = limit(Order.objects.filter(received_at__gte=midnight(first)), user, "attribution")
    orders = orders.annotate(day=_day("received_at", first)).order_by().values_list("day", "kind", "state")
    stopped = AffectedOrder.objects.filter(since__gte=midnight(first)).exclude(incident__code=PARTNER_PAUSED)
    stopped = limit(stopped, user)
    stopped = stopped.annotate(day=_day("since", first), kind=Value(STOPPED), state=Value(""))
    stopped = stopped.order_by().values_list("day", "kind", "state")
    rows = orders.annotate(number=COUNT_ALL).union(stopped.annotate(number=Count("order", distinct=True)), all=True)
    if connection.vendor == "postgresql":
        return [(timezone.localtime(day).date(), *rest) for day, *rest in rows]
    return list(rows)


def _day(field: str, first: datetime.date):
    """Returns an expression for the day of a time. On PostgreSQL the expression gives the midnight at the start of the
    day.

    PostgreSQL computes each midnight from the first one, in a tenth of the time of a time zone conversion. This is
    correct because all days in Asia/Shanghai have 24 hours.
    """
    if connection.vendor != "postgresql":
        return TruncDate(field)
    return Func(Value(DAY), F(field), Value(midnight(first)), function="date_bin", output_field=DateTimeField())


def waiting_orders(user) -> list[tuple]:
    """Returns (id, number, customer, returned by BPM, since) of at most SHOWN orders that await approval. Orders that
    BPM returned come first. All are sorted by time."""
    waiting = limit(Order.objects.filter(state=Order.State.AWAITING_APPROVAL), user, "attribution")
    waiting = waiting.annotate(returned=Exists(returned().filter(order=OuterRef("pk"))), since=asked_at())
    waiting = waiting.order_by("-returned", F("since").asc(nulls_last=True), "pk")
    return list(waiting.values_list("pk", "number", "enterprise_name", "returned", "since")[:SHOWN])


def late(user, *, now: datetime.datetime) -> list[LateCount]:
    """Returns the counts of late orders and conflicts by attribution. Two queries."""
    orders = limit(Order.objects.all(), user, "attribution")
    conflicts = (
        by_number(Conflict.objects.all(), user) if user.has_perm("orders.view_conflict") else Conflict.objects.none()
    )
    return count_late(time_limits(), now=now, orders=orders, conflicts=conflicts)


def starts(user, *, first: datetime.date, last: datetime.date) -> list[tuple]:
    """Returns (start day, state, number) of the activations of these days.

    Also returns (None, "overdue", number) of overdue activations, and (last day, "ending", number) of running trials
    without an activation.
    """
    rows = limit(Order.objects.filter(kind=Order.Kind.ACTIVATION), user, "attribution")
    ahead = rows.filter(biz_start__gte=first, biz_start__lte=last)
    ahead = ahead.annotate(day=F("biz_start"), word=F("state")).order_by().values_list("day", "word")
    late = limit(Order.objects.filter(overdue()), user, "attribution")
    late = late.annotate(day=Value(None, DateField()), word=Value(OVERDUE)).order_by().values_list("day", "word")
    ending = limit(trials_ending(gte=first, lte=last), user, "attribution")
    ending = ending.annotate(day=F("shape__ends_on"), word=Value(ENDING)).order_by().values_list("day", "word")
    parts = (rows.annotate(number=COUNT_ALL) for rows in (late, ending))
    return list(ahead.annotate(number=COUNT_ALL).union(*parts, all=True))
