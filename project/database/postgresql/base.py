"""Django's engine for PostgreSQL, with connections that keep the deadline."""

import psycopg
from django.db.backends.postgresql import base

from integrations.database_deadline import database_deadline, statement_limit
from project.database.connection import DeadlineConnection, gate
from project.database.options import session_limits

HEALTH_CHECK = 2.0  # seconds; after that an idle connection counts as broken, which leaves time for a new one


class _Driver:
    """psycopg with our connections, as Django uses it."""

    connect = staticmethod(DeadlineConnection.connect)

    def __getattr__(self, name: str):
        return getattr(psycopg, name)


class DatabaseWrapper(base.DatabaseWrapper):
    """Replaces a connection that was closed at its deadline.

    The next statement that is not in its transaction opens a new one.
    """

    Database = _Driver()

    def __init__(self, settings_dict, alias=base.NO_DB_ALIAS):
        super().__init__(settings_dict, alias)
        if pool := self.settings_dict["OPTIONS"].get("pool"):
            self.settings_dict["OPTIONS"]["pool"] = {**pool, "connection_class": DeadlineConnection}

    def get_connection_params(self):
        params = super().get_connection_params()
        if not self.settings_dict.get("POOLER"):
            # The URL's options come last, so they win.
            params["options"] = f"{session_limits(statement_limit())} {params.get('options', '')}".strip()
        return params

    def get_new_connection(self, conn_params):
        with gate.passed():
            return super().get_new_connection(conn_params)

    def ensure_connection(self):
        self._drop_closed()
        super().ensure_connection()

    def close_if_unusable_or_obsolete(self):
        """Runs at both ends of a request. Nothing may be raised there, so it does not try to connect again."""
        self._drop_closed()
        super().close_if_unusable_or_obsolete()

    def _drop_closed(self):
        if self.connection is not None and self.connection.closed and not self.in_atomic_block:
            self.close()

    def is_usable(self):
        with database_deadline(HEALTH_CHECK):
            return super().is_usable()
