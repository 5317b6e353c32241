"""Tests that no index of ours repeats another index, because each write must keep all indexes up to date."""

import os
from collections import Counter, namedtuple

import pytest
from django.apps import apps
from django.db import connection

from orders.db.indexes import TRIGRAMS, add_trigrams, install

pytestmark = pytest.mark.django_db
OURS = ("orders", "approvals", "notifications", "integrations", "project")
Index = namedtuple("Index", "name columns unique")
# Indexes with conditions or expressions are left out. PostgreSQL's columns come with their operator classes.
POSTGRESQL = """
    SELECT class.relname, index.indisunique, array_agg(col.attname || ' ' || opclass.opcname ORDER BY part.place)
    FROM pg_index index
    JOIN pg_class class ON class.oid = index.indexrelid
    JOIN pg_am method ON method.oid = class.relam AND method.amname = 'btree'
    CROSS JOIN LATERAL unnest(index.indkey::int[], index.indclass::oid[]) WITH ORDINALITY part(number, kind, place)
    JOIN pg_attribute col ON col.attrelid = index.indrelid AND col.attnum = part.number
    JOIN pg_opclass opclass ON opclass.oid = part.kind
    WHERE index.indrelid = %s::regclass AND index.indpred IS NULL AND index.indexprs IS NULL
    GROUP BY class.relname, index.indisunique
"""


def indexes(table):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(POSTGRESQL, [table])
            return [Index(name, tuple(columns), unique) for name, unique, columns in cursor.fetchall()]
        cursor.execute('SELECT name, "unique" FROM pragma_index_list(%s) WHERE NOT partial', [table])
        found = [Index(name, _columns(cursor, name), bool(unique)) for name, unique in cursor.fetchall()]
        return [index for index in found if None not in index.columns]


def _columns(cursor, name):
    cursor.execute("SELECT name FROM pragma_index_xinfo(%s) WHERE key ORDER BY seqno", [name])
    return tuple(column for (column,) in cursor.fetchall())


def repeated(found):
    """Returns {index: another index} if all columns of the index are the first columns of the other index.

    Unique indexes are left out, because they do more than find rows.
    """
    return {
        one.name: other.name
        for one in found
        for other in found
        if one != other and not one.unique and other.columns[: len(one.columns)] == one.columns
    }


MODELS = [model for label in OURS for model in apps.get_app_config(label).get_models() if not model._meta.proxy]


@pytest.mark.parametrize("model", MODELS)
def test_no_index_is_the_beginning_of_another(model):
    assert repeated(indexes(model._meta.db_table)) == {}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no operator classes")
@pytest.mark.parametrize("model", [model for model in MODELS if model._meta.app_label == "orders"])
def test_no_text_that_an_order_writes_has_two_indexes(model):
    """Text columns of the tables of orders have only one index each. An index for LIKE 'x%' finds equal texts too.

    Reference data, which has few rows, may have both.
    """
    found = [index for index in indexes(model._meta.db_table) if not index.unique]
    columns = Counter(tuple(part.split()[0] for part in index.columns) for index in found)
    assert [names for names, count in columns.items() if count > 1] == []


def test_one_that_repeats_is_found():
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX again ON orders_dispatch (order_id)")
        cursor.execute("CREATE INDEX for_some ON orders_dispatch (order_id) WHERE state = 'due'")
    assert repeated(indexes("orders_dispatch")) == {"again": "dispatch_order"}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite makes indexes in one way alone")
@pytest.mark.django_db(transaction=True)
def test_a_later_migration_makes_what_is_missing_and_what_an_earlier_try_left_unfinished():
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX order_enterprise")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'order_held'::regclass")
    with connection.schema_editor(atomic=False) as editor:
        install(None, editor)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_index ON indexrelid = oid"
            " WHERE indisvalid AND (relname IN ('order_enterprise', 'order_held')) ORDER BY relname"
        )
        assert [name for (name,) in cursor.fetchall()] == ["order_enterprise", "order_held"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no extensions")
@pytest.mark.django_db(transaction=True)
def test_a_role_that_may_not_make_the_extension_goes_on_without_it(capsys):
    """A role that may not create the extension continues without it, such as a role that does not own its database.

    Once the role may create the extension, the indexes are created.
    """
    role, index = f"desk_{os.getpid()}", "SELECT count(*) FROM pg_class WHERE relname = ANY(%s)"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP EXTENSION pg_trgm CASCADE; CREATE ROLE {role}; SET ROLE {role}")
        try:
            with connection.schema_editor() as editor:
                add_trigrams(None, editor)
        finally:
            cursor.execute(f"RESET ROLE; DROP ROLE {role}")
        assert "ask the database's owner for pg_trgm" in capsys.readouterr().out
        cursor.execute(index, [list(TRIGRAMS)])
        assert cursor.fetchone() == (0,)
        with connection.schema_editor() as editor:
            install(None, editor)
        cursor.execute(index, [list(TRIGRAMS)])
        assert cursor.fetchone() == (3,)
