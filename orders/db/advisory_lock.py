"""Advisory locks of PostgreSQL. SQLite has one writer at a time anyway."""

from django.db import connection


def take_lock(lock: tuple[int, int], *, shared: bool = False) -> None:
    """Takes a lock until the transaction ends. `shared`: others may take it shared as well."""
    if connection.vendor == "postgresql":
        act = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {act}(%s, %s)", lock)
