"""Finds the previous and next row of a row in a filtered and sorted list, with two queries.

The neighbours are found by the row's sort values, not by counting. So they are correct even if an action has changed
the row so that it no longer matches the filter. `place` stores the sort values from before the action.
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

SECONDS = 1.0  # limit of each query; a slower page is shown without neighbours
FROM_LIST, PLACE = "_changelist_filters", "place"  # URL parameters: the list's query, the row's sort values
LONGEST_PLACE = 500
PLANNED = 50
"""The LIMIT of the queries. With LIMIT 1, PostgreSQL would scan an index until a row matches, which reads all rows if
few rows match. With the size of a page, it plans as for the list."""


@dataclass(frozen=True)
class Neighbours:
    """The previous and next row, or None if there is none. `place`: the row's sort values, for URLs of the row's
    pages."""

    before: Model | None
    after: Model | None
    place: str


@dataclass(frozen=True)
class _Key:
    """A sort key: its name in the query, whether it is descending, and the position of NULL values."""

    name: str
    falls: bool
    may_be_empty: bool
    empty_last: bool

    def turned(self) -> "_Key":
        return replace(self, falls=not self.falls, empty_last=not self.empty_last)


def list_query(given: QueryDict, place: str = "") -> str:
    """Returns the query string `?...` that a row's page adds to its links, to keep the list's query. Returns an empty
    string without such a query. `place`: the default for PLACE."""
    if not given.get(FROM_LIST):
        return ""
    kept = {FROM_LIST: given[FROM_LIST], PLACE: given.get(PLACE) or place}
    return "?" + urlencode({name: value for name, value in kept.items() if value})


def find_neighbours(
    model_admin: ModelAdmin, query: str, user, row: Model, *, place: str = "", fields: tuple[str, ...] = ()
) -> Neighbours | None:
    """Returns the neighbours of a row in the list with this query, as the user sees it. Reads only their `fields`.

    Returns None if the list refuses the query or a query takes too long.
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
    """Returns the list's rows, their sort keys, and the sort expressions by their aliases.

    Creates only the filters that are in the query, since each filter may query its choices.
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
    """Returns True if NULL values come last. By default NULL values are the largest in PostgreSQL and the smallest in
    SQLite."""
    if by.nulls_first or by.nulls_last:
        return bool(by.nulls_last)
    return by.descending != (connection.vendor == "postgresql")


def _values_of(keys: list[_Key], extra: dict, row: Model) -> list:
    """Returns the row's values of the sort keys. Makes a query only if a key is not a column of the row."""
    names = [key.name for key in keys]
    if set(names) <= {field.attname for field in row._meta.concrete_fields} | {"pk"}:
        return [getattr(row, name) for name in names]
    return list(type(row)._base_manager.filter(pk=row.pk).annotate(**extra).values_list(*names).get())


def _read(place: str, keys: list[_Key]) -> list | None:
    """Returns the sort values in `place`, or None if `place` is invalid."""
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
    """Parses a datetime or date, which is a text in the URL. Other values are returned unchanged."""
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
    """Returns the condition for later rows. A later row is later by the first key, or equal by the first key and later
    by the next keys. The separate bound on the first key lets the database use an index, which OR alone would
    prevent."""
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
