"""A time limit for optional queries of a page."""

import contextlib
from collections.abc import Iterator

from django.db import connection, transaction


@contextlib.contextmanager
def bounded_time(seconds: float) -> Iterator[None]:
    """Cancel each query within the block that takes longer than `seconds`, on PostgreSQL.

    SQLite has no such limit, and a transaction there would block all writers.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds}s"])
        yield
