"""Contents of a person's mails: counts, and the oldest few items with links. They contain order numbers, never
customers.

An item counts as one without an owner if its owner is absent and no deputy can act on it. Otherwise nobody would be
notified.
"""

import datetime
import functools
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Model, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext

from orders.db.expressions import IsInTrail
from orders.history.actors import person_words, stands_in_for
from orders.history.owners import Absent, counts, seen_by
from orders.limits.late_orders import became_late, is_late, is_late_conflict, mark_overtime
from orders.limits.overtime import VERY_LATE, TimeLimits
from orders.lists.overtime_marks import overtime_words
from orders.lists.scope import by_number
from orders.mails.mentions import LEFT
from orders.models import Conflict, Difference, Incident, Order, OrderEvent
from orders.models.querysets import UNRESOLVED
from orders.people.owned_work import is_nobodys, is_of
from orders.rules.local_time import SHANGHAI
from orders.texts.incident_texts import title_of

MAX_NAMED = 5
GRACE = datetime.timedelta(minutes=2)
"""Events are read with this delay, so that the transactions that wrote them have ended."""
HELD_CODES = [value for value in Order.Held.values if value]
OLDEST: dict[type[Model], str] = {Order: "state_since", Incident: "first_at", Difference: "found_at"}


def seen_rows(model: type[Model], user) -> QuerySet:
    """Returns the rows that the user may see."""
    return model._default_manager.filter(seen_by(model, user))


def digest_facts(
    user, *, limits: TimeLimits, absent: Absent, since: datetime.datetime, now: datetime.datetime
) -> dict | None:
    """Returns the facts of a person's digest, or None if nothing is pending. Makes about a dozen queries. `since`: the
    time of the previous digest."""
    today = now.astimezone(SHANGHAI).date()
    mine = _part(user, lambda model: is_of(model, user.pk), now)
    nobodys = _part(user, functools.partial(is_nobodys, absent=absent.without(user.pk)), now)
    theirs = _of_absent(user, today, now)
    late = seen_rows(Order, user).filter(is_late(limits, now=now))
    mentions = _mentions(user, since, now)
    conflicts = by_number(Conflict.objects.filter(is_late_conflict(limits, now=now)), user)
    found = {
        "mine": mine[0],
        "mine_lines": mine[1],
        "nobodys": nobodys[0],
        "nobodys_lines": nobodys[1],
        "theirs": theirs[0],
        "theirs_lines": theirs[1],
        "mentions": mentions[0],
        "mentions_lines": mentions[1],
        "late": late.count(),
        "very": late.filter(is_late(limits, now=now, times=VERY_LATE)).count(),
        "late_lines": _lines(late, now),
        "late_url": f"{address('admin:orders_order_changelist')}?overtime=yes",
        "conflicts": conflicts.count() if user.has_perm("orders.view_conflict") else 0,
    }
    return (
        found if any(found[name] for name in ("mine", "nobodys", "theirs", "mentions", "late", "conflicts")) else None
    )


def _mentions(user, since: datetime.datetime, now: datetime.datetime) -> tuple[int, list[str]]:
    """Returns the number of orders and incidents with notes that mention the user and were not mailed, since the
    previous digest. Also returns the oldest few of them. Events are read after GRACE, when their transactions have
    ended."""
    events = OrderEvent.objects.filter(IsInTrail("actor"), at__gt=since - GRACE, at__lte=now - GRACE, kind=LEFT)
    named = [row.data for row in events.order_by("at", "pk") if user.pk in row.data["people"]]
    number, lines = 0, []
    for model in (Order, Incident):
        ids = {one["row"] for one in named if one["model"] == model._meta.model_name}
        if ids and user.has_perm(f"orders.view_{model._meta.model_name}"):
            rows = seen_rows(model, user).filter(pk__in=ids)
            number += rows.count()
            lines += _lines(rows, now)
    return number, lines


def _of_absent(user, today: datetime.date, now: datetime.datetime) -> tuple[int, list[str]]:
    """Returns the number of items of the people for whom the user is today's deputy, and the oldest few items. Counts
    only items that the user may see."""
    number, lines = 0, []
    for person in get_user_model().objects.filter(pk__in=stands_in_for(user.pk, today)).order_by("pk"):
        count, some = _part(user, functools.partial(is_of, account=person.pk), now)
        if count:
            number += count
            lines += [f"{person_words(person.pk, today)}{gettext(': ')}{count}", *some]
    return number, lines


def red_facts(
    user,
    *,
    limits: TimeLimits,
    absent: Absent,
    since: datetime.datetime,
    until: datetime.datetime,
    now: datetime.datetime,
) -> dict | None:
    """Returns the facts of a mail about items without an owner that became red after `since`, up to `until`. Returns
    None if there are no such items."""
    absent = absent.without(user.pk)
    failed, late = turned_red(limits, absent, since=since, until=until)
    orders = seen_rows(Order, user).filter(failed | late)
    incidents = seen_rows(Incident, user).awake(now).filter(opened_red(absent, since=since, until=until))
    if not user.has_perm("orders.view_incident"):
        incidents = incidents.none()
    numbers = [orders.count(), incidents.count()]
    if not any(numbers):
        return None
    return {"number": sum(numbers), "lines": [*_lines(orders, now), *_lines(incidents, now)][: 2 * MAX_NAMED]}


def turned_red(
    limits: TimeLimits, absent: Absent, *, since: datetime.datetime, until: datetime.datetime
) -> tuple[Q, Q]:
    """Returns two conditions for orders without an owner who can act.

    The first is for orders that failed in this period. The second is for orders that exceeded twice their limit in this
    period. Each has an index of its own.
    """
    failed = Q(state=Order.State.FAILED, state_since__gt=since, state_since__lte=until)
    late = became_late(limits, since=since, until=until, times=VERY_LATE)
    nobodys = ~counts(Order) | absent.alone_with(Order)
    return failed & nobodys, late & nobodys


def opened_red(absent: Absent, *, since: datetime.datetime, until: datetime.datetime) -> Q:
    """Returns the condition for incidents without an owner that opened or woke in this period. Incidents of held orders
    are excluded, since the limit of these orders determines when they are late."""
    opened = Q(first_at__gt=since, first_at__lte=until) | Q(woke_at__gt=since, woke_at__lte=until)
    red = Q(state__in=UNRESOLVED) & ~Q(code__in=HELD_CODES) & ~Q(partner="files")
    return red & opened & (~counts(Incident) | absent.alone_with(Incident))


def _part(user, condition: Callable[[type[Model]], Q], now: datetime.datetime) -> tuple[int, list[str]]:
    """Returns the numbers of orders, incidents and differences that meet a condition, and lines about the oldest few of
    each."""
    number, lines = 0, []
    for model in OLDEST:
        if user.has_perm(f"orders.view_{model._meta.model_name}"):
            rows = seen_rows(model, user).filter(condition(model))
            rows = rows.awake(now) if model is Incident else rows
            number += rows.count()
            lines += _lines(rows, now)
    return number, lines


def _lines(rows: QuerySet, now: datetime.datetime) -> list[str]:
    """Returns a line for each of the oldest few rows: its name, its state and its URL."""
    first = OLDEST[rows.model]
    rows = rows.order_by(first, "pk")
    if rows.model is Order:
        found = list(rows.only("number", "kind", "state", "state_since", "attribution", "held_because")[:MAX_NAMED])
        mark_overtime(found, now=now)
        return [_line(row, _order_words(row)) for row in found]
    if rows.model is Incident:
        return [_line(row, [title_of(row.code, row.words), row.get_state_display()]) for row in rows[:MAX_NAMED]]
    return [_line(row, [row.job_id, row.get_kind_display()]) for row in rows[:MAX_NAMED]]


def _order_words(order: Order) -> Iterable[Any]:
    yield order.number
    yield order.get_kind_display()
    yield order.get_state_display()
    if order.held_because:
        yield order.get_held_because_display()
    if order.overtime:
        yield overtime_words(order.overtime)


def _line(row: Model, words: Iterable[Any]) -> str:
    page = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return " ".join([*map(str, words), address(page, row.pk)])


def address(name: str, *args) -> str:
    return f"{settings.SITE_URL}{reverse(name, args=args)}"
