"""The rows before and after one in a list, under the list's filter and order: two queries, each for one row.

They are found by the row's place in the order, not by counting. So they are right even if the row has left the list
meanwhile: an act may have changed what the filter asks. `place` keeps the place from before such an act.
"""

import copy
import datetime
import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.options import ModelAdmin
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection
from django.db.models import F, Model, Q, QuerySet
from django.db.models.expressions import OrderBy
from django.db.models.functions import Coalesce
from django.http import QueryDict
from django.utils.dateparse import parse_date, parse_datetime

from orders.db.query_time_limit import bounded_time
from orders.db.unstorable_values import NONSENSE
from orders.lists.list_query import NOT_OF_THE_FILTER, read_query, said_as, unread_list
from orders.texts.errors import OrderError

SECONDS = 1.0  # of each query: a page does without its neighbours rather than wait
FROM_LIST, PLACE = "_changelist_filters", "place"  # in the address of a row's page: the list's query, the row's place
LONGEST_PLACE = 500
PLANNED = 50
"""For one row PostgreSQL would walk along the order until it fits, which for a rare filter means through all rows. For
as many as a page has it plans as for the list."""


@dataclass(frozen=True)
class Neighbours:
    """Both may be None: there is none, or it can't be said. `place` is for the address of a page about the same row."""

    before: Model | None
    after: Model | None
    place: str


@dataclass(frozen=True)
class _Key:
    """A part of a list's order: its name in the query, whether it falls, and where empty values come."""

    name: str
    falls: bool
    may_be_empty: bool
    empty_last: bool

    def turned(self) -> "_Key":
        return replace(self, falls=not self.falls, empty_last=not self.empty_last)


def list_query(given: QueryDict, place: str = "") -> str:
    """Returns the list's query from the address of a row's page, or of an act on it: `?...`, or nothing. `place`: as
    found."""
    if not given.get(FROM_LIST):
        return ""
    kept = {FROM_LIST: given[FROM_LIST], PLACE: given.get(PLACE) or place}
    return "?" + urlencode({name: value for name, value in kept.items() if value})


def find_neighbours(
    model_admin: ModelAdmin, query: str, user, row: Model, *, place: str = "", fields: tuple[str, ...] = ()
) -> Neighbours | None:
    """The neighbours of a row in the list with this query, as the user sees it, with their `fields`.

    None for a query that the list does not take, or that takes too long.
    """
    try:
        with bounded_time(SECONDS):
            rows, keys, extra = _ordered(model_admin, query, user)
            values = _read(place, keys) or _values_of(keys, extra, row)
            others, back = rows.exclude(pk=row.pk), [key.turned() for key in keys]
            before, after = _next(others, back, values, fields), _next(others, keys, values, fields)
    except (OrderError, DatabaseError, ValidationError, *NONSENSE):
        return None
    return Neighbours(before, after, json.dumps(values, default=lambda value: value.isoformat()))


def _ordered(model_admin: ModelAdmin, query: str, user) -> tuple[QuerySet, list[_Key], dict]:
    """The list's rows, what they are sorted by, and the expressions among that by their names in the query.

    Only the filters that the query names are made, since each filter of the page may look up its choices.
    """
    given, asked = QueryDict(query), QueryDict(mutable=True)
    for name in given:
        if name not in NOT_OF_THE_FILTER:
            asked.setlist(name, given.getlist(name))
    few = copy.copy(model_admin)
    few.list_filter = [entry for entry in model_admin.list_filter if any(n.startswith(said_as(entry)) for n in asked)]
    rows = unread_list(few, read_query(model_admin, asked.urlencode()), user).queryset
    keys, extra = [], {}
    for number, part in enumerate(rows.query.order_by):
        by = part if isinstance(part, OrderBy) else _order_by(part)
        name = by.expression.name if isinstance(by.expression, F) else f"order_key_{number}"
        if not isinstance(by.expression, F):
            extra[name] = by.expression
        keys.append(_Key(name, bool(by.descending), _may_be_empty(rows.model, by.expression), _empty_last(by)))
    return rows.alias(**extra), keys, extra


def _may_be_empty(model: type[Model], expression: Any) -> bool:
    if not isinstance(expression, F):
        return not isinstance(expression, Coalesce)
    return expression.name != "pk" and ("__" in expression.name or model._meta.get_field(expression.name).null)


def _order_by(part: Any) -> OrderBy:
    if not isinstance(part, str):
        return part.asc()
    return OrderBy(F(part.removeprefix("-")), descending=part.startswith("-"))


def _empty_last(by: OrderBy) -> bool:
    """Empty values are the largest for PostgreSQL, the smallest for SQLite, unless the order says where they are."""
    if by.nulls_first or by.nulls_last:
        return bool(by.nulls_last)
    return by.descending != (connection.vendor == "postgresql")


def _values_of(keys: list[_Key], extra: dict, row: Model) -> list:
    """The row's values of the keys. A query only where they are no columns of its own."""
    names = [key.name for key in keys]
    if set(names) <= {field.attname for field in row._meta.concrete_fields} | {"pk"}:
        return [getattr(row, name) for name in names]
    return list(type(row)._base_manager.filter(pk=row.pk).annotate(**extra).values_list(*names).get())


def _read(place: str, keys: list[_Key]) -> list | None:
    """The values that an address gives. None if they are not such."""
    if not place or len(place) > LONGEST_PLACE:
        return None
    try:
        values = json.loads(place)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, list) or len(values) != len(keys):
        return None
    return [_time_value(value) for value in values] if all(map(_is_plain, values)) else None


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, int | float | str)


def _time_value(value: object) -> object:
    """Moments and days are texts in an address."""
    if not isinstance(value, str):
        return value
    try:
        found: datetime.datetime | datetime.date | None = parse_datetime(value) if "T" in value else parse_date(value)
    except ValueError:
        return value
    return found or value


def _next(rows: QuerySet, keys: list[_Key], values: list, fields: tuple[str, ...]) -> Model | None:
    order = [_ordering_of(key) for key in keys]
    found = rows.filter(_behind(keys, values)).order_by(*order).select_related(None).only("pk", *fields)[:PLANNED]
    return next(iter(found), None)


def _ordering_of(key: _Key) -> OrderBy:
    last, first = (key.empty_last, not key.empty_last) if key.may_be_empty else (None, None)
    return OrderBy(F(key.name), descending=key.falls, nulls_last=last or None, nulls_first=first or None)


def _behind(keys: list[_Key], values: list) -> Q:
    """Returns the condition for later rows: by the first key, or the same there and later by the next. A database reads
    the bound of the first key from an index; `or` alone would hide it."""
    key, value = keys[0], values[0]
    later = _later(key, value)
    if len(keys) == 1:
        return later
    same = Q(**{f"{key.name}__isnull": True}) if value is None else Q(**{key.name: value})
    found = later | (same & _behind(keys[1:], values[1:]))
    if value is None or key.may_be_empty and key.empty_last:
        return found
    return Q(**{f"{key.name}__{'lte' if key.falls else 'gte'}": value}) & found


def _later(key: _Key, value: object) -> Q:
    if value is None:
        return Q(pk__in=[]) if key.empty_last else Q(**{f"{key.name}__isnull": False})
    later = Q(**{f"{key.name}__{'lt' if key.falls else 'gt'}": value})
    return later | Q(**{f"{key.name}__isnull": True}) if key.may_be_empty and key.empty_last else later
