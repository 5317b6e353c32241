"""Lets the suite empty the tables after a test with real transactions, although approval records can't be deleted.

SQLite flushes by DELETE, which the guard of approvals.append_only refuses. The guard is taken off and set again inside
the flush's own transaction, so every test runs with it. Production code has no such way.
"""

import pytest
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
