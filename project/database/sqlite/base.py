"""Django's engine for SQLite. It waits for a lock no longer than the deadline allows."""

from django.db.backends.sqlite3 import base

from integrations.database_deadline import time_left
from project.database.options import SQLITE_PATIENCE


class DatabaseWrapper(base.DatabaseWrapper):
    """SQLite runs inside our process. It waits only for locks of other processes, or for the disk."""

    _patience = SQLITE_PATIENCE

    def get_new_connection(self, conn_params):
        self._patience = SQLITE_PATIENCE
        return super().get_new_connection(conn_params)

    def create_cursor(self, name=None):
        """Sets the time-out before each statement, since Django makes a cursor for each."""
        left = time_left()
        if left <= 0:
            raise self.Database.OperationalError("no time is left for another statement")
        patience = min(SQLITE_PATIENCE, left)
        if patience != self._patience:
            self.connection.execute(f"PRAGMA busy_timeout={int(patience * 1000)}")
            self._patience = patience
        return super().create_cursor(name)
