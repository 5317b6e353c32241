"""What the suite adds to the flush of the database after a test with real transactions.

SQLite flushes by DELETE, which the guards of approvals.append_only and orders.db.trail_guard refuse. The flush removes
the guards and restores them inside its own transaction, so every test runs with them. Production code can't do this.

The flush also removes the rows that migrations load: roles, provinces, service types. It puts them back, so that tests
may run in any order. The database then gets a new name, because this machine remembers how far it saw the database of
the old name.
"""

import pytest
from django.db import connection, transaction
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.sqlite3.base import DatabaseOperations

from approvals import append_only
from orders.db import trail_guard
from orders.models import Timeline
from orders.models.timeline import new_name


@pytest.fixture(scope="session", autouse=True)
def flush_passes_the_guard():
    plain = DatabaseOperations.sql_flush

    def unguarded(self, style, tables, **options):
        statements = plain(self, style, tables, **options)
        for guard in (append_only.guard, *trail_guard.IN_FORCE):
            if guard.table in tables:
                statements = [*guard.drop_statements("sqlite"), *statements, *guard.create_statements("sqlite")]
        return statements

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", unguarded)
        yield


@pytest.fixture(scope="session")
def flush_keeps_migrated_rows(django_db_setup, django_db_blocker):
    plain = BaseDatabaseOperations.execute_sql_flush
    with django_db_blocker.unblock():
        migrated = list(inserts())
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)

    def flush(self, statements):
        with transaction.atomic():
            if connection.vendor == "postgresql":
                delete_all(tables)
            else:
                plain(self, statements)
            with connection.cursor() as cursor:
                for statement, rows in migrated:
                    cursor.executemany(statement, rows)
            Timeline.objects.update(name=new_name())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", flush)
        yield


@pytest.fixture(autouse=True)
def migrated_rows_after_a_flush(request):
    marker = request.node.get_closest_marker("django_db")
    if "transactional_db" in request.fixturenames or (marker and marker.kwargs.get("transaction")):
        request.getfixturevalue("flush_keeps_migrated_rows")


def delete_all(tables):
    """Deletes the rows of all tables on PostgreSQL. TRUNCATE would make new files for each table and index, which
    takes 1.5 s a test.
    """
    quoted = [connection.ops.quote_name(table) for table in tables]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # switches off foreign keys and triggers
        cursor.execute(" UNION ALL ".join(f"(SELECT '{table}' FROM {table} LIMIT 1)" for table in quoted))
        for (table,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute("SET LOCAL session_replication_role = origin")


def inserts():
    """Yields an INSERT for each table that a flush empties, with the table's present rows."""
    quote = connection.ops.quote_name
    for table in connection.introspection.django_table_names(only_existing=True, include_views=False):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {quote(table)}")
            columns, rows = ", ".join(quote(column[0]) for column in cursor.description), cursor.fetchall()
        if rows:
            places = ", ".join(["%s"] * len(rows[0]))
            yield f"INSERT INTO {quote(table)} ({columns}) VALUES ({places})", rows
