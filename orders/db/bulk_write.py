"""Writes many rows in one go, with SQL that is put together once.

`bulk_create` and `bulk_update` compile their statement anew each time, value by value: in intake and delivery that cost
more than the database's work (bench/README.md). These two do the same for plain tables: no signals, no parents.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Field, JSONField, Model

from orders.db.batches import in_batches

ROWS_A_STATEMENT = 100
PLAIN = {str, int, bool, type(None)}


def insert_rows(rows: Iterable[Model]) -> None:
    """Saves new rows of one model and gives them their ids. Rows that they point at must have been saved."""
    rows = list(rows)
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        _insert(rows[start : start + ROWS_A_STATEMENT])


def update_rows(rows: Iterable[Model], names: Sequence[str]) -> None:
    """Saves these fields of rows of one model that are there already. Rows that are to be alike share one UPDATE."""
    rows = list(rows)
    if not rows:
        return
    statement = _update_statement(type(rows[0]), tuple(names))
    with connection.cursor() as cursor:
        if _are_alike(rows, statement):
            for batch in in_batches(row.pk for row in rows):
                condition, keys = _one_of(batch)
                cursor.execute(f"{statement.sql} {condition}", [*_values(rows[0], statement), *keys])
        else:
            cursor.executemany(f"{statement.sql} = %s", [[*_values(row, statement), row.pk] for row in rows])


def _are_alike(rows: list[Model], statement: "Statement") -> bool:
    names = [field.attname for field in statement.fields]
    first = [getattr(rows[0], name) for name in names]
    return all(getattr(row, name) == value for row in rows[1:] for name, value in zip(names, first, strict=True))


def _one_of(keys: list[int]) -> tuple[str, list]:
    """The condition and its values. PostgreSQL takes a list as one value, so that the text is always the same."""
    if connection.vendor == "postgresql":
        return "= ANY(%s)", [keys]
    return f"IN ({', '.join(['%s'] * len(keys))})", keys


class Statement(NamedTuple):
    """SQL, the fields that fill its places, and those of them that point at another row."""

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
    """What the columns get. Most values are plain, and Django would hand them through many calls unchanged.

    A row that was made before the one it points at was saved is given that one's id.
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
