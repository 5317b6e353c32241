"""Django's engine for SQLite. It waits for a lock no longer than the deadline allows."""

from django.db.backends.sqlite3 import base
from django.utils.functional import cached_property

from integrations.base.database_deadline import time_left
from project.database.database_settings import SQLITE_PATIENCE
from project.database.error_counter import CountedErrors


class DatabaseWrapper(base.DatabaseWrapper):
    """SQLite runs inside our process. It waits only for locks of other processes, or for the disk."""

    _limit: tuple = ()  # (connection, its present time-out)

    @cached_property
    def wrap_database_errors(self):
        return CountedErrors(self)

    def create_cursor(self, name=None):
        """Sets the time-out before each statement, since Django makes a cursor for each."""
        left = time_left()
        if left <= 0:
            raise self.Database.OperationalError("no time is left for another statement")
        limit = self.connection, min(SQLITE_PATIENCE, left)
        if limit != self._limit:
            self.connection.execute(f"PRAGMA busy_timeout={int(limit[1] * 1000)}")
            self._limit = limit
        return super().create_cursor(name)
