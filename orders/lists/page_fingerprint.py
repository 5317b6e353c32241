"""Fingerprints: figures that change whenever the rows of a page change. Live pages compare these figures
(orders/lists/live_pages.py).

Each kind of page has one query, compiled once. Each figure reads only the end of an index or a small table, so the size
of the database does not matter. Each change of an order adds an event, each call adds an attempt, and each edit by
staff adds a log entry.
"""

import datetime
import functools
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Func, Model, Q, QuerySet, Subquery
from django.db.models.expressions import CombinedExpression, Value

from notifications.models import Mail
from orders.db.compiled_sql import Prepared, Slot
from orders.db.expressions import OneOf
from orders.db.unstorable_values import is_id
from orders.models import Attempt, Difference, InboundMessage, Incident, IncidentNote, Order, OrderEvent, Pause
from orders.people.owned_work import is_nobodys, is_of

IN_FLIGHT = 64  # the number of newest attempts among which open attempts are counted
NEWEST = 50  # rows of a list that are compared
MAX_NEEDING = 100  # counting stops here
COUNTED_EVERY = datetime.timedelta(seconds=3)
COUNTED_FOR = datetime.timedelta(minutes=15)
MAX_KEPT = 1000  # users


class Counted(Subquery):
    """The number of rows."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"

    def __init__(self, rows: QuerySet):
        super().__init__(rows.order_by().values("pk"))


def newest(rows: QuerySet, field: str = "pk") -> Subquery:
    """Returns a subquery for the greatest value. It uses MAX: both databases then read only the end of an index."""
    return Subquery(rows.order_by().values(greatest=Func(field, function="MAX")))


def _desk_figures() -> list:
    first = CombinedExpression(newest(Attempt.objects.all()), "-", Value(IN_FLIGHT))
    unresolved, ends = Incident.objects.unresolved(), [OrderEvent, Attempt, Mail, InboundMessage, Difference, LogEntry]
    return [
        Counted(Attempt.objects.filter(outcome=Attempt.Outcome.OPEN, pk__gt=first)),
        *(newest(model.objects.all()) for model in [*ends, IncidentNote, Incident, Pause]),
        newest(unresolved, "last_at"),
        Counted(unresolved),
        Counted(unresolved.filter(state=Incident.State.ACKNOWLEDGED)),
        Counted(Pause.objects.not_ended()),
    ]


@dataclass(frozen=True)
class Fingerprint:
    """The figures of the whole desk and of one page. `busy`: something that the page shows is in progress."""

    desk: tuple
    own: tuple
    busy: bool


class Figures:
    """The query of a kind of page, for the figures of the desk and of the page. `busy`: the number of the page's
    leading figures that show whether something is in progress. If it is None, the desk's number of open calls shows
    this."""

    def __init__(self, own: Callable[[], list], *, busy: int | None = None):
        self.busy = busy
        people = get_user_model()._base_manager
        self._query = Prepared(lambda: people.filter(pk=Slot("user")).values_list(*_desk_figures(), *own()))

    @functools.cached_property
    def _size(self) -> int:
        return len(_desk_figures())

    def __call__(self, user_id: int, **values) -> Fingerprint:
        found = self._query.first(user=user_id, **values)
        desk, own = found[: self._size], found[self._size :]
        return Fingerprint(desk, own, bool(desk[0]) if self.busy is None else any(own[: self.busy]))


@dataclass(frozen=True)
class ChangeFields:
    """`fields`: the fields besides `state` that change without an event. `under_way`: the states in which a row changes
    quickly."""

    fields: Sequence[str] = ()
    under_way: Collection[str] = ()


@functools.cache
def _figures_of(model: type[Model]) -> Figures:
    return Figures(lambda: [newest(model._base_manager.all())])


def list_fingerprint(model: type[Model], by: ChangeFields, user_id: int) -> Fingerprint:
    """Returns the fingerprint of a list: the desk's figures, the id of the newest row, and the fields `by` of the
    newest rows."""
    marks = _figures_of(model)(user_id)
    return _with_rows(marks, model._base_manager.order_by("-pk"), by) if by.fields else marks


def row_fingerprint(model: type[Model], by: ChangeFields, pk: str, user_id: int) -> Fingerprint:
    """Returns the fingerprint of a row's page: the desk's figures, and the fields `by` of the row."""
    return _with_rows(_figures_of(model)(user_id), model._base_manager.filter(pk=pk if is_id(pk) else None), by)


def _with_rows(marks: Fingerprint, rows: QuerySet, by: ChangeFields) -> Fingerprint:
    found = tuple(rows.values_list("state", *by.fields)[:NEWEST])
    return Fingerprint(marks.desk, marks.own + found, marks.busy or any(row[0] in by.under_way for row in found))


def _permissions() -> QuerySet:
    """Returns the query for a user's permissions. It has subqueries, since joins would read all accounts of all
    roles."""
    own = get_user_model().user_permissions.through.objects.filter(user=Slot("user")).values("permission")
    roles = get_user_model().groups.through.objects.filter(user=Slot("user")).values("group")
    of_roles = Group.permissions.through.objects.filter(group__in=roles).values("permission")
    rows = Permission.objects.filter(Q(pk__in=own) | Q(pk__in=of_roles)).order_by()
    return rows.values_list("content_type__app_label", "codename")


RIGHTS = Prepared(_permissions)


def rights_of(user, *, at_once: bool) -> list[str]:
    """Returns the user's permissions. With `at_once`, they are read by one compiled query. Otherwise they come from
    Django's cache, which the page fills anyway."""
    if user.is_superuser:
        return ["superuser"]
    if not at_once:
        return sorted(user.get_all_permissions())
    return sorted(f"{app}.{name}" for app, name in RIGHTS(user=user.pk))


@dataclass(frozen=True)
class _Needing:
    about: tuple
    at: datetime.datetime
    number: int

    def holds(self, about: tuple, now: datetime.datetime) -> bool:
        passed = now - self.at
        return datetime.timedelta() <= passed < (COUNTED_FOR if self.about == about else COUNTED_EVERY)


def _needing(*scope: Func) -> QuerySet:
    nobodys = Order.objects.filter(is_nobodys(Order), *scope).order_by().values("pk")
    own = Order.objects.filter(is_of(Order, Slot("user"))).order_by().values("pk")
    people = get_user_model()._base_manager.filter(pk=Slot("user"))
    return people.values_list(Counted(nobodys.union(own)))


NEEDING = Prepared(_needing)
NEEDING_WITHIN = Prepared(lambda: _needing(OneOf("attribution_id", "letters")))
_counted: dict[int, _Needing] = {}
_counting = threading.Lock()


def count_needing(user, letters: frozenset[str] | None, desk: tuple, now: datetime.datetime) -> int:
    """Returns the number of orders that need this user, at most MAX_NEEDING. These are the user's own orders, and the
    orders without an owner in these attributions (None: all). The number is cached until the desk's figures change, and
    at least for three seconds per user and process."""
    with _counting:
        kept = _counted.get(user.pk)
    if kept is None or not kept.holds((desk, letters), now):
        query, about = (NEEDING, {}) if letters is None else (NEEDING_WITHIN, {"letters": letters})
        kept = _Needing((desk, letters), now, min(query.first(user=user.pk, **about), MAX_NEEDING))
        with _counting:
            if len(_counted) >= MAX_KEPT:
                _counted.clear()
            _counted[user.pk] = kept
    return kept.number
