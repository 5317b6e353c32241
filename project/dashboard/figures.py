"""What the dashboard asks the database, one function a query, each limited to what the person may see."""

import datetime

from django.db import connection
from django.db.models import Count, DateField, DateTimeField, F, Func, Min, Q, QuerySet, Value
from django.db.models.functions import TruncDate
from django.utils import timezone

from integrations.models import Breaker, Heartbeat
from orders.admin.filters import DAY, midnight
from orders.admin.order_list import NEEDS_SOMEBODY, overdue
from orders.admin.scope import attributions_of, limit
from orders.models import AffectedOrder, Dispatch, Incident, Order
from orders.models.dispatch import OPEN_STATES

STOPPED = "stopped"
OVERDUE = "overdue"
ALL = Count("*")


def per_day(user, *, first: datetime.date) -> list[tuple]:
    """(day, kind, state, number) of orders received since `first`, and (day, "stopped", "", number) of stopped ones."""
    orders = limit(Order.objects.filter(received_at__gte=midnight(first)), user, "attribution")
    orders = orders.annotate(day=_day("received_at", first)).order_by().values_list("day", "kind", "state")
    stopped = limit(AffectedOrder.objects.filter(since__gte=midnight(first)), user)
    stopped = stopped.annotate(day=_day("since", first), kind=Value(STOPPED), state=Value(""))
    stopped = stopped.order_by().values_list("day", "kind", "state")
    rows = orders.annotate(number=ALL).union(stopped.annotate(number=ALL), all=True)
    return [(_date(day), kind, state, number) for day, kind, state, number in rows]


def _day(field: str, first: datetime.date):
    """The day of a moment. PostgreSQL counts off from the first midnight: a tenth of the time zone's cost.

    A day has 24 hours all year in Asia/Shanghai.
    """
    if connection.vendor != "postgresql":
        return TruncDate(field)
    return Func(Value(DAY), F(field), Value(midnight(first)), function="date_bin", output_field=DateTimeField())


def _date(day: datetime.date) -> datetime.date:
    return timezone.localtime(day).date() if isinstance(day, datetime.datetime) else day


def needing(user) -> list[tuple]:
    """(state, held because, number) of the orders that are held or failed."""
    rows = limit(Order.objects.filter(state__in=NEEDS_SOMEBODY), user, "attribution")
    return list(rows.order_by().values_list("state", "held_because").annotate(number=ALL))


def open_incidents(user) -> list[Incident]:
    """The incidents that are not over, with the number of orders that each still stops, the most first."""
    letters = attributions_of(user)
    still = Q(affected__closed_at=None)
    if letters is not None:
        still &= Q(affected__order__attribution__in=letters)
    rows = Incident.objects.filter(state__in=[Incident.State.OPEN, Incident.State.ACKNOWLEDGED])
    rows = rows.annotate(still=Count("affected", filter=still)).order_by("-still", "-pk")
    return list(rows if letters is None else _that_stopped(rows, letters))


def _that_stopped(rows: QuerySet, letters: frozenset[str]) -> QuerySet:
    """Of these, those that stopped an order of the attributions, now or earlier: as the list of incidents does."""
    own = AffectedOrder.objects.filter(order__attribution__in=letters)
    return rows.filter(pk__in=own.values("incident"))


def backlog(user, *, now: datetime.datetime) -> list[tuple]:
    """(channel, number, longest due since) of what is to be sent or retried."""
    rows = limit(Dispatch.objects.filter(state__in=OPEN_STATES), user).order_by().values_list("channel")
    return list(rows.annotate(number=ALL, oldest=Min("next_try_at", filter=Q(next_try_at__lte=now))))


def starts(user, *, first: datetime.date, last: datetime.date) -> list[tuple]:
    """(start day, state, number) of the activations of these days, and (None, "overdue", number)."""
    rows = limit(Order.objects.filter(kind=Order.Kind.ACTIVATION), user, "attribution")
    ahead = rows.filter(biz_start__gte=first, biz_start__lte=last)
    ahead = ahead.annotate(day=F("biz_start"), word=F("state")).order_by().values_list("day", "word")
    late = limit(Order.objects.filter(overdue()), user, "attribution")
    late = late.annotate(day=Value(None, DateField()), word=Value(OVERDUE)).order_by().values_list("day", "word")
    return list(ahead.annotate(number=ALL).union(late.annotate(number=ALL), all=True))


def breakers() -> list[Breaker]:
    """The partners whose calls wait."""
    return list(Breaker.objects.filter(opened_at__isnull=False))


def heartbeats() -> list[Heartbeat]:
    """All clusters, the liveliest first."""
    return list(Heartbeat.objects.order_by("-seen_at"))
