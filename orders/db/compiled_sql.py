"""SQL that is compiled once: queries, and writes of many rows.

Django compiles a statement anew at each use. In intake and delivery that takes several times as long as the database
(bench/README.md), so the queries and writes there keep their text.

A Prepared query is written as usual, with a Slot in place of each value that changes:

    OPEN_CLAIM = Prepared(lambda: TrialClaim.objects.filter(trial=Slot("trial"), released_at=None)[:1])
    rows = OPEN_CLAIM(trial=trial.pk)

It gives rows of a model with what `select_related` names, or what `values_list` names. A Slot's field says how its
value goes to the database. Without a field the value goes as it is, which is right for numbers and texts.
`OneOf("pk", "ids")` is the condition for a list of values.

`insert_rows` and `update_rows` do what `bulk_create` and `bulk_update` do, for plain tables: no signals, no parents.
Only services use them, since they can write a state.
"""

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import BooleanField, Field, Func, JSONField, Model, QuerySet, Value
from django.db.models.query import get_related_populators

ROWS_A_STATEMENT = 100
PLAIN = {str, int, bool, type(None)}


class Slot(Value):
    """The place of a value. It is only for comparisons with one value, not for JSON or parts of texts."""

    def __init__(self, name: str, field: Field | None = None):
        super().__init__(name, output_field=field or Field())

    def as_sql(self, compiler, connection):
        return "%s", [self]

    def fill(self, values: dict, database):
        """The value for this place, as the database takes it."""
        return self.output_field.get_db_prep_value(values[self.value], database)


class OneOf(Func):
    """Whether a column has one of the values of a list of numbers or texts. The list may be long or empty."""

    output_field = BooleanField()

    def __init__(self, column: str, name: str):
        super().__init__(column)
        self.slot = ListSlot(name)

    def as_sql(self, compiler, connection):
        sql, values = compiler.compile(self.source_expressions[0])
        return f"{sql} {one_of(connection.vendor)}", [*values, self.slot]


class ListSlot(Slot):
    """The place of a whole list, which goes to the database as one value."""

    def fill(self, values: dict, database):
        return as_list(values[self.value], database.vendor)


def one_of(vendor: str) -> str:
    """The SQL for "is one of a list". Its text is the same for lists of any length."""
    return "= ANY(%s)" if vendor == "postgresql" else "IN (SELECT value FROM json_each(%s))"


def as_list(values: Iterable, vendor: str):
    """A list in the form that `one_of` takes."""
    return list(values) if vendor == "postgresql" else json.dumps(list(values))


class Prepared:
    """A compiled query. Call it with a value for each Slot; it gives a list."""

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
        """The SQL, its values with Slots among them, and the function that turns rows into results."""
        rows = self._build()
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, places = compiler.as_sql()
        converters = compiler.get_converters([column for column, _, _ in compiler.select])
        make = _model_maker(compiler) if rows.query.default_cols else _plain

        def read(found: list) -> list:
            return [make(row) for row in (compiler.apply_converters(found, converters) if converters else found)]

        return sql, tuple(places), read


def _model_maker(compiler) -> Callable[[Sequence], Model]:
    """Makes the function that turns a row into an instance of the model, with those that `select_related` names."""
    info, select = compiler.klass_info, compiler.select
    first, last = info["select_fields"][0], info["select_fields"][-1] + 1
    names = [column.target.attname for column, _, _ in select[first:last]]
    related = get_related_populators(info, select, DEFAULT_DB_ALIAS)  # type: ignore[call-arg]  # the stubs are of Django 6

    def make(row: Sequence) -> Model:
        instance = info["model"].from_db(DEFAULT_DB_ALIAS, names, row[first:last])
        for populator in related:
            populator.populate(row, instance)
        return instance

    return make


def _plain(row: Sequence):
    return row[0] if len(row) == 1 else tuple(row)


def _filled(place, values: dict, database):
    return place.fill(values, database) if isinstance(place, Slot) else place


def insert_rows(rows: Iterable[Model]) -> None:
    """Saves new rows of one model and gives them their ids. Rows to which they point must have been saved."""
    rows = list(rows)
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        _insert(rows[start : start + ROWS_A_STATEMENT])


def update_rows(rows: Iterable[Model], names: Sequence[str]) -> None:
    """Saves these fields of existing rows of one model. Rows that get the same values share one UPDATE."""
    rows = list(rows)
    if not rows:
        return
    statement = _update_statement(type(rows[0]), tuple(names))
    with connection.cursor() as cursor:
        if _are_alike(rows, statement):
            keys = as_list((row.pk for row in rows), connection.vendor)
            cursor.execute(f"{statement.sql} {one_of(connection.vendor)}", [*_values(rows[0], statement), keys])
        else:
            cursor.executemany(f"{statement.sql} = %s", [[*_values(row, statement), row.pk] for row in rows])


def _are_alike(rows: list[Model], statement: "Statement") -> bool:
    names = [field.attname for field in statement.fields]
    first = [getattr(rows[0], name) for name in names]
    return all(getattr(row, name) == value for row in rows[1:] for name, value in zip(names, first, strict=True))


class Statement(NamedTuple):
    """SQL, the fields that fill its places, and those of them that point to another row."""

    sql: str
    fields: tuple[Field, ...]
    references: tuple[Field, ...]


def _insert(rows: list[Model]) -> None:
    statement = _insert_statement(type(rows[0]), len(rows))
    with connection.cursor() as cursor:
        cursor.execute(statement.sql, [value for row in rows for value in _values(row, statement)])
        ids = cursor.fetchall()
    for row, (number,) in zip(rows, ids, strict=True):
        row.pk, row._state.adding, row._state.db = number, False, DEFAULT_DB_ALIAS


def _values(row: Model, statement: Statement) -> list:
    """The columns' values. Most are plain, and Django would pass them through many calls unchanged.

    If a row was made before the one to which it points was saved, it gets that one's id here.
    """
    for field in statement.references:
        if getattr(row, field.attname) is None and field.is_cached(row):
            setattr(row, field.name, getattr(row, field.name))
    return [
        value
        if type(value := getattr(row, field.attname)) in PLAIN and type(field) is not JSONField
        else field.get_db_prep_save(value, connections[DEFAULT_DB_ALIAS])
        for field in statement.fields
    ]


@functools.cache
def _insert_statement(model: type[Model], count: int) -> Statement:
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    marks = "({})".format(", ".join(["%s"] * len(fields)))
    names = ", ".join(_quoted(field.column) for field in fields)
    table, key = _quoted(model._meta.db_table), _quoted(model._meta.pk.column)
    return _statement(f"INSERT INTO {table} ({names}) VALUES {', '.join([marks] * count)} RETURNING {key}", fields)


@functools.cache
def _update_statement(model: type[Model], names: tuple[str, ...]) -> Statement:
    fields = [model._meta.get_field(name) for name in names]
    marks = ", ".join(f"{_quoted(field.column)} = %s" for field in fields)
    table, key = _quoted(model._meta.db_table), _quoted(model._meta.pk.column)
    return _statement(f"UPDATE {table} SET {marks} WHERE {key}", fields)


def _statement(sql: str, fields: list[Field]) -> Statement:
    return Statement(sql, tuple(fields), tuple(field for field in fields if field.is_relation))


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def load_rows(model: type[Model], keys: Iterable[int]) -> dict[int, Model]:
    """The rows of these keys, by key. Without keys there is no query."""
    keys = list(keys)
    return {row.pk: row for row in _by_keys(model)(keys=keys)} if keys else {}


@functools.cache
def _by_keys(model: type[Model]) -> Prepared:
    return Prepared(lambda: model.objects.filter(OneOf("pk", "keys")).order_by())
