"""SQL that is compiled once: queries, and writes of many rows.

Django compiles a statement anew at each use. In intake and delivery, compiling takes several times as long as the
database's work (bench/README.md). So the queries and writes of intake and delivery are compiled once.

A Prepared query is written as usual, with a Slot in place of each value that changes:

    OPEN_CLAIM = Prepared(lambda: TrialClaim.objects.filter(trial=Slot("trial"), released_at=None)[:1])
    rows = OPEN_CLAIM(trial=trial.pk)

The query returns model instances with their `select_related` relations, or the fields of `values_list`. A Slot's field
converts the value for the database. Without a field the value is not converted, which is right for numbers and texts.

`insert_rows` and `update_rows` do what `bulk_create` and `bulk_update` do, for plain tables: no signals, no parents.
`insert_together` saves rows of several models in one statement. Only services may use these functions, since they can
write a state. docs/mechanisms/fast-writes.md explains the reason, and how rows are sent to the database.
"""

import datetime
import functools
import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Field, JSONField, Model, QuerySet, Value

from orders.db.row import bare

ROWS_A_STATEMENT = {"postgresql": 1000, "sqlite": 100}
PLAIN = {str, int, bool, type(None)}


class Slot(Value):
    """A placeholder for a value, or for a list of values, in a comparison. It does not work in JSON or within texts."""

    def __init__(self, name: str, field: Field | None = None, *, is_list: bool = False):
        super().__init__(name, output_field=field or Field())
        self.is_list = is_list

    def as_sql(self, compiler, connection):
        return "%s", [self]

    def fill(self, values: dict, database):
        """Returns the parameter for the database."""
        if self.is_list:
            return as_list(values[self.value], database.vendor)
        return self.output_field.get_db_prep_value(values[self.value], database)


def one_of(vendor: str) -> str:
    """Returns the SQL for membership in a list. The SQL is the same for lists of any length."""
    return "= ANY(%s)" if vendor == "postgresql" else "IN (SELECT value FROM json_each(%s))"


def as_list(values: Iterable, vendor: str):
    """Returns a list as the parameter that the SQL of `one_of` expects."""
    return list(values) if vendor == "postgresql" else json.dumps(list(values))


class Prepared:
    """A compiled query. Calling it with a value for each Slot returns a list."""

    def __init__(self, build: Callable[[], QuerySet]):
        self._build = build

    def __call__(self, **values) -> list:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            self.send(cursor, values)
            return self.read(cursor)

    def send(self, cursor, values: dict) -> None:
        """Send the query. In a pipeline this does not wait for the result."""
        sql, places, *_ = self._compiled
        database = connections[DEFAULT_DB_ALIAS]
        given = [place.fill(values, database) if isinstance(place, Slot) else place for place in places]
        cursor.execute(sql, given)

    def read(self, cursor) -> list:
        """Wait for the result and return it."""
        *_, converted, make = self._compiled
        return list(map(make, converted(cursor.fetchall())))

    def first(self, **values):
        """Returns the first row, or None."""
        return next(iter(self(**values)), None)

    @functools.cached_property
    def _compiled(self) -> tuple[str, tuple, Callable[[list], Iterable], Callable[[Sequence], object]]:
        """The SQL, its parameters (with Slots), and two functions. The first converts all rows as Django does. The
        second turns a row into a result."""
        rows = self._build()
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, places = compiler.as_sql()
        converters = compiler.get_converters([column for column, _, _ in compiler.select])
        converted = functools.partial(compiler.apply_converters, converters=converters) if converters else iter
        if rows.query.default_cols:
            return sql, tuple(places), converted, _model_maker(compiler.klass_info, compiler.select)
        return sql, tuple(places), converted, itemgetter(0) if len(compiler.select) == 1 else tuple


def ask_together(*questions: tuple[Prepared, dict]) -> list:
    """Run several queries, each with its values, in one round trip and in this order. Returns their results.

    Each query sees what was committed before it runs, so a query after one that takes a lock sees the writes of the
    lock's previous holder. SQLite has no round trips; there the queries run one by one.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "postgresql":
        return [query(**values) for query, values in questions]
    database.ensure_connection()
    with database.wrap_database_errors, database.connection.pipeline():
        cursors = [database.cursor() for _ in questions]
        for cursor, (query, values) in zip(cursors, questions, strict=True):
            query.send(cursor, values)
        return [query.read(cursor) for cursor, (query, _) in zip(cursors, questions, strict=True)]


def _model_maker(info: dict, select: list) -> Callable[[Sequence], Model | None]:
    """Returns a function from a row to a model instance with its `select_related` instances."""
    model, places = info["model"], info["select_fields"]
    names = [select[place][0].target.attname for place in places]
    key = places[names.index(model._meta.pk.attname)]
    related = [
        (_model_maker(other, select), other["local_setter"], other["remote_setter"])
        for other in info.get("related_klass_infos", ())
    ]

    def make(row: Sequence) -> Model | None:
        if row[key] is None:
            return None
        instance = bare(model)
        instance._state.adding, instance._state.db = False, DEFAULT_DB_ALIAS
        instance.__dict__.update(zip(names, map(row.__getitem__, places), strict=True))
        for make_other, set_here, set_there in related:
            other = make_other(row)
            set_here(instance, other)
            if other is not None:
                set_there(other, instance)
        return instance

    return make


class FreeIds(Prepared):
    """Reserves ids for new rows of these models.

    Called with `counts`, the number of ids for each model, it returns {model: ids}. Unused ids are lost.
    """

    def __init__(self, *models: type[Model]):
        self.models = models

    def __call__(self, *, counts: Sequence[int]) -> dict[type[Model], list[int]]:
        return super().__call__(counts=counts) if connection.vendor == "postgresql" else self._after_last(counts)

    def send(self, cursor, values: dict) -> None:
        each = ", ".join(["ARRAY(SELECT nextval(%s::regclass) FROM generate_series(1, %s))"] * len(self.models))
        pairs = zip(map(_sequence, self.models), values["counts"], strict=True)
        cursor.execute(f"SELECT {each}", [part for pair in pairs for part in pair])

    def read(self, cursor) -> dict[type[Model], list[int]]:
        return dict(zip(self.models, cursor.fetchone(), strict=True))

    def _after_last(self, counts: Sequence[int]) -> dict[type[Model], list[int]]:
        """Returns the next ids on SQLite. No other connection can take them during the transaction."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, seq + 1 FROM sqlite_sequence")
            begins = dict(cursor.fetchall())
        pairs = [(begins.get(model._meta.db_table, 1), count) for model, count in zip(self.models, counts, strict=True)]
        return {model: [*range(at, at + count)] for model, (at, count) in zip(self.models, pairs, strict=True)}


def reserve_ids(rows: Iterable[Model], free: Mapping[type[Model], list[int]] | None = None) -> None:
    """Set the ids of unsaved rows, so that other rows can refer to them before they are saved.

    `free`: ids reserved before; a model with too few gets new ones. Call it within a transaction. On SQLite, save these
    rows before any other rows of their models.
    """
    by_model, ids = _by_model(rows), dict(free or {})
    if lacking := [model for model, unsaved in by_model.items() if len(ids.get(model, ())) < len(unsaved)]:
        ids |= FreeIds(*lacking)(counts=[len(by_model[model]) for model in lacking])
    for model, unsaved in by_model.items():
        for row, number in zip(unsaved, ids[model], strict=False):
            row.pk = number


@functools.cache
def _sequence(model: type[Model]) -> str:
    """Returns the name of the sequence of a model's ids (PostgreSQL)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [quoted(model._meta.db_table), model._meta.pk.column])
        return cursor.fetchone()[0]


def insert_rows(rows: Iterable[Model]) -> None:
    """Save new rows of one model and set their ids. Rows to which these refer must be saved before."""
    rows, most = list(rows), ROWS_A_STATEMENT[connection.vendor]
    for start in range(0, len(rows), most):
        _write_new(rows[start : start + most])


def insert_missing(rows: Iterable[Model]) -> None:
    """Save new rows of one model, without those that violate a unique constraint. Does not set the ids of the rows."""
    rows, most = list(rows), ROWS_A_STATEMENT[connection.vendor]
    for start in range(0, len(rows), most):
        sql, values = _insert_statement(rows[start : start + most])
        with connection.cursor() as cursor:
            cursor.execute(f"{sql} ON CONFLICT DO NOTHING", values)


def insert_together(rows: Iterable[Model]) -> None:
    """Save new rows of several models. Rows to which others refer need reserved ids. On PostgreSQL, the ids
    of other rows are not set.

    On PostgreSQL this is one statement. Foreign keys are checked when the transaction ends, so the order of the models
    does not matter. The rows of one model are saved in the given order.
    """
    by_model = _by_model(rows)
    if connection.vendor != "postgresql" or not by_model:
        for unsaved in by_model.values():
            insert_rows(unsaved)
        return
    models = tuple((model, rows[0].pk is not None) for model, rows in by_model.items())
    values = [_as_json(by_model[model], _fields(model, with_id)) for model, with_id in models]
    with connection.cursor() as cursor:
        cursor.execute(_insert_of_models(models), values)
    for row in chain.from_iterable(by_model.values()):
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def _by_model(rows: Iterable[Model]) -> dict[type[Model], list[Model]]:
    found = defaultdict(list)
    for row in rows:
        found[type(row)].append(row)
    return found


def update_rows(rows: Iterable[Model], names: Sequence[str]) -> None:
    """Save these fields of existing rows of one model. If all rows have the same values, one UPDATE with a list of ids
    suffices.
    """
    rows = list(rows)
    if not rows:
        return
    model, names = type(rows[0]), tuple(names)
    fields = [model._meta.get_field(name) for name in names]
    with connection.cursor() as cursor:
        if _are_alike(rows, fields):
            keys = as_list((row.pk for row in rows), connection.vendor)
            cursor.execute(f"{_update(model, names)} {one_of(connection.vendor)}", [*_values(rows[0], fields), keys])
        elif connection.vendor == "postgresql":
            cursor.execute(_update_from_json(model, names), [_as_json(rows, [model._meta.pk, *fields])])
        else:
            cursor.executemany(f"{_update(model, names)} = %s", [[*_values(row, fields), row.pk] for row in rows])


def _are_alike(rows: list[Model], fields: list[Field]) -> bool:
    names = [field.attname for field in fields]
    return all(getattr(row, name) == getattr(rows[0], name) for row in rows[1:] for name in names)


def _write_new(rows: list[Model]) -> None:
    """Save new rows of one model in one statement, and set their ids."""
    sql, values = _insert_statement(rows)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} RETURNING {quoted(rows[0]._meta.pk.column)}", values)
        ids = cursor.fetchall()
    for row, (number,) in zip(rows, ids, strict=True):
        row.pk = number
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def _insert_statement(rows: list[Model]) -> tuple[str, list]:
    model, with_id = type(rows[0]), rows[0].pk is not None
    fields = _fields(model, with_id)
    if connection.vendor == "postgresql":
        return _insert_from_json(model, with_id), [_as_json(rows, fields)]
    return _insert(model, with_id, len(rows)), [value for row in rows for value in _values(row, fields)]


@functools.cache
def _fields(model: type[Model], with_id: bool) -> tuple[Field, ...]:
    return tuple(field for field in model._meta.concrete_fields if with_id or not field.primary_key)


def _fill_references(row: Model, fields: Iterable[Field]) -> None:
    """Set the foreign keys of a row that was built before the rows to which it refers were saved."""
    for field in fields:
        if field.is_relation and getattr(row, field.attname) is None and field.is_cached(row):
            setattr(row, field.name, getattr(row, field.name))


def _values(row: Model, fields: Iterable[Field]) -> list:
    """Returns the values of a row's columns. Plain values bypass Django's conversion, which would not change them."""
    _fill_references(row, fields)
    return [
        value
        if type(value := getattr(row, field.attname)) in PLAIN and type(field) is not JSONField
        else field.get_db_prep_save(value, connections[DEFAULT_DB_ALIAS])
        for field in fields
    ]


@functools.cache
def _insert(model: type[Model], with_id: bool, count: int) -> str:
    fields, table = _fields(model, with_id), quoted(model._meta.db_table)
    marks = "({})".format(", ".join(["%s"] * len(fields)))
    names = ", ".join(quoted(field.column) for field in fields)
    return f"INSERT INTO {table} ({names}) VALUES {', '.join([marks] * count)}"


@functools.cache
def _update(model: type[Model], names: tuple[str, ...]) -> str:
    marks = ", ".join(f"{quoted(model._meta.get_field(name).column)} = %s" for name in names)
    return f"UPDATE {quoted(model._meta.db_table)} SET {marks} WHERE {quoted(model._meta.pk.column)}"


def _as_json(rows: Iterable[Model], fields: Iterable[Field]) -> str:
    """Returns rows as a JSON list of objects, by column. The server converts the values to the types of the table."""
    names = [(field.column, field.attname) for field in fields]
    references = [field for field in fields if field.is_relation]
    for row in (rows := list(rows)):
        _fill_references(row, references)
    return _encode([{column: getattr(row, attname) for column, attname in names} for row in rows])


def _as_text(value) -> str:
    if isinstance(value, (datetime.date, uuid.UUID)):  # times are dates too
        return str(value)
    raise TypeError(f"{value!r} is no value of a row")


_encode = json.JSONEncoder(default=_as_text, separators=(",", ":")).encode


@functools.cache
def _insert_from_json(model: type[Model], with_id: bool) -> str:
    table = quoted(model._meta.db_table)
    names = ", ".join(quoted(field.column) for field in _fields(model, with_id))
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{table}, %s)"


@functools.cache
def _insert_of_models(models: tuple[tuple[type[Model], bool], ...]) -> str:
    """Returns one statement that inserts rows of several models. Each model has one parameter."""
    inserts = [_insert_from_json(model, with_id) for model, with_id in models]
    parts = [f"insert_{number} AS ({sql})" for number, sql in enumerate(inserts[:-1], start=1)]
    return (f"WITH {', '.join(parts)} " if parts else "") + inserts[-1]


@functools.cache
def _update_from_json(model: type[Model], names: tuple[str, ...]) -> str:
    table, key = quoted(model._meta.db_table), quoted(model._meta.pk.column)
    columns = [quoted(model._meta.get_field(name).column) for name in names]
    new = ", ".join(f"{column} = new.{column}" for column in columns)
    rows = f"json_populate_recordset(NULL::{table}, %s) AS new"
    return f"UPDATE {table} SET {new} FROM {rows} WHERE {table}.{key} = new.{key}"


def quoted(name: str) -> str:
    return connection.ops.quote_name(name)
