"""A time limit for queries that a page can do without."""

import contextlib
from collections.abc import Iterator

from django.db import connection, transaction


@contextlib.contextmanager
def bounded_time(seconds: float) -> Iterator[None]:
    """Cancels slow queries on PostgreSQL. SQLite has no such limit, and a transaction there would block all writers."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds}s"])
        yield
