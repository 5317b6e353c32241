"""Lets the suite empty the tables after a test with real transactions, though approval records can't be deleted.

SQLite flushes by DELETE, which the guard of approvals.append_only refuses. The flush takes the guard off and on again
inside its own transaction, so every test runs with the guard. Production code can't do this.
"""

import importlib

import pytest
from django.apps import apps
from django.db.backends.sqlite3.base import DatabaseOperations

from approvals import append_only


@pytest.fixture(scope="session", autouse=True)
def flush_passes_the_guard():
    plain = DatabaseOperations.sql_flush

    def unguarded(self, style, tables, **options):
        statements = plain(self, style, tables, **options)
        if append_only.TABLE not in tables:
            return statements
        return [*append_only.drop_statements("sqlite"), *statements, *append_only.create_statements("sqlite")]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", unguarded)
        yield


@pytest.fixture(autouse=True)
def reference_data_after_a_flush(request):
    """A migration adds provinces and service types, and the flush after a test with real transactions removes them.
    The next such test gets them back; all others run before."""
    marker = request.node.get_closest_marker("django_db")
    if marker and marker.kwargs.get("transaction"):
        request.getfixturevalue("transactional_db")
        importlib.import_module("orders.migrations.0002_reference_data").load(apps, None)
