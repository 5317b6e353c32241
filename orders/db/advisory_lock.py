"""PostgreSQL's advisory locks. SQLite needs none: it has one writer at a time."""

from django.db import connection


def take_lock(lock: tuple[int, int], *, shared: bool = False) -> None:
    """Take a lock until the transaction ends. Several transactions can hold a `shared` lock at the same time."""
    if connection.vendor == "postgresql":
        act = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {act}(%s, %s)", lock)
