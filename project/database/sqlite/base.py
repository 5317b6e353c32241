"""Django's backend for SQLite. Waits for locks end at the deadline."""

from django.db.backends.sqlite3 import base
from django.utils.functional import cached_property

from integrations.base.database_deadline import time_left
from project.database.database_settings import SQLITE_PATIENCE
from project.database.error_counter import CountedErrors


class DatabaseWrapper(base.DatabaseWrapper):
    """Limits only the waits for locks. SQLite runs in our process, so there is no network to wait for."""

    _limit: tuple = ()  # (connection, its current time-out in seconds)

    @cached_property
    def wrap_database_errors(self):
        return CountedErrors(self)

    def create_cursor(self, name=None):
        """Sets the time-out to the time left, then returns a cursor. Django creates a cursor for each statement. If no
        time is left, raises OperationalError."""
        left = time_left()
        if left <= 0:
            raise self.Database.OperationalError("no time is left for another statement")
        limit = self.connection, min(SQLITE_PATIENCE, left)
        if limit != self._limit:
            self.connection.execute(f"PRAGMA busy_timeout={int(limit[1] * 1000)}")
            self._limit = limit
        return super().create_cursor(name)
