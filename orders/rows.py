"""Writes many rows in one go, with SQL that is put together once.

`bulk_create` and `bulk_update` compile their statement anew each time, value by value: in intake and delivery that cost
more than the database's work (bench/README.md). These two do the same for plain tables: no signals, no parents.
"""

import functools
from collections.abc import Iterable, Sequence

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Field, JSONField, Model

ROWS_A_STATEMENT = 100
PLAIN = {str, int, bool, type(None)}


def insert_rows(rows: Iterable[Model]) -> None:
    """Saves new rows of one model and gives them their ids. Rows that they point at must have been saved."""
    rows = list(rows)
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        _insert(rows[start : start + ROWS_A_STATEMENT])


def update_rows(rows: Iterable[Model], names: Sequence[str]) -> None:
    """Saves these fields of rows of one model that are there already."""
    rows = list(rows)
    if not rows:
        return
    statement, fields = _update_statement(type(rows[0]), tuple(names))
    with connection.cursor() as cursor:
        cursor.executemany(statement, [[*_values(row, fields), row.pk] for row in rows])


def _insert(rows: list[Model]) -> None:
    statement, fields = _insert_statement(type(rows[0]), len(rows))
    with connection.cursor() as cursor:
        cursor.execute(statement, [value for row in rows for value in _values(row, fields)])
        ids = cursor.fetchall()
    for row, (number,) in zip(rows, ids, strict=True):
        row.pk, row._state.adding, row._state.db = number, False, DEFAULT_DB_ALIAS


def _values(row: Model, fields: Sequence[Field]) -> list:
    """What the columns get. A row that was made before the one it points at was saved is given that one's id."""
    for field in fields:
        if field.is_relation and getattr(row, field.attname) is None and field.is_cached(row):
            setattr(row, field.name, getattr(row, field.name))
    return [_prepared(field, getattr(row, field.attname)) for field in fields]


def _prepared(field: Field, value):
    """The value as the database takes it: most are plain, and Django would hand them through many calls unchanged."""
    if type(value) in PLAIN and not isinstance(field, JSONField):
        return value
    return field.get_db_prep_save(value, connections[DEFAULT_DB_ALIAS])


@functools.cache
def _insert_statement(model: type[Model], count: int) -> tuple[str, tuple[Field, ...]]:
    fields = tuple(field for field in model._meta.concrete_fields if not field.primary_key)
    marks = "({})".format(", ".join(["%s"] * len(fields)))
    names = ", ".join(_quoted(field.column) for field in fields)
    table, key = _quoted(model._meta.db_table), _quoted(model._meta.pk.column)
    return f"INSERT INTO {table} ({names}) VALUES {', '.join([marks] * count)} RETURNING {key}", fields


@functools.cache
def _update_statement(model: type[Model], names: tuple[str, ...]) -> tuple[str, tuple[Field, ...]]:
    fields = tuple(model._meta.get_field(name) for name in names)
    marks = ", ".join(f"{_quoted(field.column)} = %s" for field in fields)
    return f"UPDATE {_quoted(model._meta.db_table)} SET {marks} WHERE {_quoted(model._meta.pk.column)} = %s", fields


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
