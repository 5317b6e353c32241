"""`migrate`: Django's command, with only one run at a time, and with short lock time-outs on PostgreSQL.

While a schema change waits for the lock of a table, every later statement on that table waits too. This includes the
statements of BBOSS's orders. So a wait ends after LOCK_WAIT. Then the migration is rolled back, and earlier migrations
stay applied. The migration is repeated after PAUSE, for at most PATIENCE in total.

The rows in `django_migrations` are checked first. Databases of versions before FROM_VERSION are refused, because their
migrations were squashed (docs/mechanisms/versions.md). Databases of versions before 1.0.0 can't be migrated at all,
because 1.0.0 restarted the migrations.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DatabaseError, Error, OperationalError, connections

from orders.db.applied_migrations import applied_migrations
from project.database.applied_migrations import graph_and_plan, rows_of

LOCK_WAIT = 1  # second; for each statement of a migration, which keeps its earlier statements' locks meanwhile
PATIENCE, PAUSE = 20, 2  # seconds
LOCK_ERRORS = {"55P03": "a table was in use", "40P01": "others held each other up"}  # lock_timeout, deadlock
ADVISORY_LOCK = (0x1D5E, 0)  # the advisory lock of `migrate`; arbitrary numbers
BEFORE_1_0_0 = ("project", "0001_roles")  # a migration that only versions before 1.0.0 had
FROM_VERSION = "1.10.0"  # the oldest supported version: the squashed migrations replace all migrations up to it
ALREADY_EXISTS = {"42P07", "42701", "42710"}  # a table, a column, a constraint
ALREADY_EXISTS_IN_SQLITE = ("already exists", "duplicate column name")


class Command(migrate.Command):
    """Raises CommandError if a table is in use for longer than PATIENCE, or if `why_not` returns an error."""

    applying = None

    def handle(self, *args, **options):
        connection = connections[options["database"]]
        if why := why_not(connection):
            raise CommandError(why)
        if options["plan"] or options["check_unapplied"]:  # both only read, so they need no lock
            super().handle(*args, **options)
            return
        write = self.stdout.write if options["verbosity"] else lambda line: None
        with migration_lock(connection, write), short_lock_waits(connection):
            self._run_with_lock_waits(write, *args, **options)

    def _run_with_lock_waits(self, write: Callable[[str], object], *args, **options) -> None:
        """Runs Django's command. While it fails because of a lock, repeats it.

        If a migration can't be rolled back (`atomic = False`), it must be repeatable (tests/test_migrations.py).
        """
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return super().handle(*args, **options)
            except DatabaseError as error:
                if self.applying and already_exists(error):
                    rows = ", ".join(".".join(row) for row in rows_of(self.applying))
                    raise CommandError(
                        f"{self.applying}: what it makes is there already, so rows are missing in django_migrations "
                        f"({rows}): {ADD_THE_ROWS}"
                    ) from error
                why = isinstance(error, OperationalError) and LOCK_ERRORS.get(getattr(error.__cause__, "sqlstate", ""))
                if not why:
                    raise
                if time.monotonic() > until:
                    raise CommandError(
                        f"{why} for longer than {PATIENCE} s (a backup, an export?); what is applied stays. "
                        "Run migrate again"
                    ) from error
            write(f"{why}; it is rolled back and tried again in {PAUSE} s")
            time.sleep(PAUSE)

    def migration_progress_callback(self, action, migration=None, fake=False):
        self.applying = migration if action == "apply_start" else None
        super().migration_progress_callback(action, migration, fake)


ADD_THE_ROWS = "add what is missing again (app, name, applied), or take the table from a backup"


def why_not(connection) -> str:
    """Returns an error text if the rows in django_migrations don't allow `migrate`. Otherwise returns an empty text.

    A row counts as missing if a later migration has one. After an interrupted first run no later migration has a row,
    so the run may continue.
    """
    applied = applied_migrations(connection)
    if BEFORE_1_0_0 in applied:
        return "this database was made before version 1.0.0 and can't be carried over: make a new one"
    if not applied:
        return ""
    graph, plan = graph_and_plan()
    sets = [migration for migration in plan if migration.replaces]
    ours = {migration.app_label for migration in sets}
    since = [row for one in plan if one.app_label in ours and one not in sets for row in rows_of(one)]
    before = ""
    for migration in plan:
        rows = rows_of(migration)
        lacking = [row for row in rows if row not in applied]
        if not lacking:
            continue
        if len(lacking) < len(rows):  # later: the replaced rows after the first missing one, and newer migrations
            later = [row for row in [*rows[rows.index(lacking[0]) :], *since] if row in applied]
            before = before or ".".join(lacking[0])
        else:
            children = graph.node_map[migration.app_label, migration.name].children
            followers = [rows_of(graph.nodes[child.key]) for child in children]
            later = sorted(rows[-1] for rows in followers if applied.keys() >= set(rows))
        if later:
            first, next_one = ".".join(lacking[0]), ".".join(later[0])
            return f"the row of {first} is missing in django_migrations, though {next_one} follows it: {ADD_THE_ROWS}"
    if before:
        return (
            f"this database is of a version before {FROM_VERSION} ({before} is not applied): {FROM_VERSION} has to"
            " migrate it first. Go there from version to version as CHANGELOG.md lists them, and skip none"
        )
    return ""


def already_exists(error: DatabaseError) -> bool:
    text = str(error)
    return getattr(error.__cause__, "sqlstate", "") in ALREADY_EXISTS or any(
        part in text for part in ALREADY_EXISTS_IN_SQLITE
    )


@contextlib.contextmanager
def migration_lock(connection, write: Callable[[str], object]) -> Iterator[None]:
    """Holds a lock, so that only one `migrate` runs on the database. Waits until the lock is free, because two runs
    would apply the same migration, and one of them would fail.

    The lock ends with its process. It is polled every second, because a session waiting within a statement would block
    CREATE INDEX CONCURRENTLY. Behind a pooler sessions are shared, so there is no lock.
    """
    lock = {"postgresql": _locked_session, "sqlite": _locked_folder}[connection.vendor]
    with contextlib.ExitStack() as held:
        if not lock(connection, held):
            write("another migrate is at work on this database; this one goes on when it has ended")
            while not lock(connection, held):
                time.sleep(1)
        yield


def _locked_session(connection, held: contextlib.ExitStack) -> bool:
    if connection.settings_dict.get("POOLER"):
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", ADVISORY_LOCK)
        [locked] = cursor.fetchone()
    if locked:
        held.callback(_unlock, connection)
    return locked


def _unlock(connection) -> None:
    with contextlib.suppress(Error), connection.cursor() as cursor:  # a lost connection has released the lock already
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", ADVISORY_LOCK)


def _locked_folder(connection, held: contextlib.ExitStack) -> bool:
    """Locks the folder of the database. Returns False if another process holds the lock.

    SQLite's own lock is free between two migrations, so it is not used. Opening its file here would not be safe either,
    because closing the file would release SQLite's locks of this process.
    """
    folder = Path(connection.settings_dict["NAME"]).parent
    if connection.is_in_memory_db() or not folder.is_dir():
        return True
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(place)
        return False
    held.callback(os.close, place)
    return True


@contextlib.contextmanager
def short_lock_waits(connection) -> Iterator[None]:
    """Limits waits for locks in the block to LOCK_WAIT. Removes the limit of a statement's duration."""
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
