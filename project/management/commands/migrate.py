"""`migrate`: Django's command. On PostgreSQL it does not wait long for a table that others use.

While a change of a table waits for its lock, every later statement on that table waits behind it, also for BBOSS's
orders. So a wait ends after LOCK_WAIT. That migration is rolled back, those before it stay, and `migrate` can be run
again. Version 1.0.0 began its migrations anew, so a database of a version before it is refused.
"""

import contextlib
from collections.abc import Iterator

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import Error, OperationalError, connections
from django.db.migrations.recorder import MigrationRecorder

LOCK_WAIT = 3  # seconds
LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's code
BEFORE_1_0_0 = ("project", "0001_roles")  # a migration that only those versions had


class Command(migrate.Command):
    """Raises CommandError if a table is in use for longer than LOCK_WAIT, or the database is of before 1.0.0."""

    def handle(self, *args, **options):
        connection = connections[options["database"]]
        if BEFORE_1_0_0 in MigrationRecorder(connection).applied_migrations():
            raise CommandError("this database was made before version 1.0.0 and can't be carried over: make a new one")
        with short_lock_waits(connection):
            try:
                super().handle(*args, **options)
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", "") != LOCK_NOT_AVAILABLE:
                    raise
                raise CommandError(
                    f"a table was in use for longer than {LOCK_WAIT} s (a backup, an export?); what is applied stays. "
                    "Run migrate again"
                ) from error


@contextlib.contextmanager
def short_lock_waits(connection) -> Iterator[None]:
    """Bounds waits for locks within the block. A migration itself may take as long as it needs."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{LOCK_WAIT}s'")
        cursor.execute("SET statement_timeout = 0")
    try:
        yield
    finally:
        with contextlib.suppress(Error), connection.cursor() as cursor:  # a lost connection has nothing to reset
            cursor.execute("RESET lock_timeout")
            cursor.execute("RESET statement_timeout")
