"""Queries that are compiled once.

Django puts the SQL of a query together anew at each use, and on intake's way that costs several times what the database
does (bench/README.md). A Prepared query is written as ever, with a Slot in place of each value that changes:

    OPEN_CLAIM = Prepared(lambda: TrialClaim.objects.filter(trial=Slot("trial"), released_at=None)[:1])
    rows = OPEN_CLAIM(trial=trial.pk)

Rows of a model, or what `values_list` names. A Slot's field says how its value goes to the database; without one it
goes as it is, as numbers and texts may.
"""

import functools
from collections.abc import Callable

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Field, QuerySet, Value


class Slot(Value):
    """The place of a value. Only for comparisons with one value: not for lists, JSON or parts of texts."""

    def __init__(self, name: str, field: Field | None = None):
        super().__init__(name, output_field=field or Field())

    def as_sql(self, compiler, connection):
        return "%s", [self]

    def fill(self, values: dict, database):
        """The value for this place."""
        return self.output_field.get_db_prep_value(values[self.value], database)


class Prepared:
    """Call it with a value for each Slot; gives a list."""

    def __init__(self, build: Callable[[], QuerySet]):
        self._build = build

    def __call__(self, **values) -> list:
        sql, places, read = self._compiled
        database = connections[DEFAULT_DB_ALIAS]
        with database.cursor() as cursor:
            cursor.execute(sql, [_filled(place, values, database) for place in places])
            return read(cursor.fetchall())

    def first(self, **values):
        """The first row, or None."""
        return next(iter(self(**values)), None)

    @functools.cached_property
    def _compiled(self) -> tuple[str, tuple, Callable[[list], list]]:
        """The SQL, its values with Slots among them, and what makes results of rows."""
        rows = self._build()
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, places = compiler.as_sql()
        converters = compiler.get_converters([column for column, _, _ in compiler.select])
        names = [column.target.attname for column, _, _ in compiler.select if hasattr(column, "target")]

        def read(found: list) -> list:
            if converters:
                found = compiler.apply_converters(found, converters)
            if rows.query.default_cols:
                return [rows.model.from_db(DEFAULT_DB_ALIAS, names, row) for row in found]
            return [row[0] if len(row) == 1 else tuple(row) for row in found]

        return sql, tuple(places), read


def _filled(place, values: dict, database):
    return place.fill(values, database) if isinstance(place, Slot) else place
