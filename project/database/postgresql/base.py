"""Django's engine for PostgreSQL with connections that keep the deadline."""

import psycopg
from django.db.backends.postgresql import base

from integrations.database_deadline import database_deadline, statement_limit
from project.database.connection import DeadlineConnection, gate
from project.database.options import session_limits

HEALTH_CHECK = 2.0  # seconds; then a connection that lay idle counts as broken, and there is time for a new one


class _Driver:
    """psycopg as Django takes it, with our connections."""

    connect = staticmethod(DeadlineConnection.connect)

    def __getattr__(self, name: str):
        return getattr(psycopg, name)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that was shut at its deadline is replaced by the next statement that is not in its transaction."""

    Database = _Driver()

    def __init__(self, settings_dict, alias=base.NO_DB_ALIAS):
        super().__init__(settings_dict, alias)
        if pool := self.settings_dict["OPTIONS"].get("pool"):
            self.settings_dict["OPTIONS"]["pool"] = {**pool, "connection_class": DeadlineConnection}

    def get_connection_params(self):
        params = super().get_connection_params()
        if not self.settings_dict.get("POOLER"):
            # What the URL says comes last, and so is what counts.
            params["options"] = f"{session_limits(statement_limit())} {params.get('options', '')}".strip()
        return params

    def get_new_connection(self, conn_params):
        with gate.passed():
            return super().get_new_connection(conn_params)

    def ensure_connection(self):
        self._drop_closed()
        super().ensure_connection()

    def close_if_unusable_or_obsolete(self):
        """At both ends of a request, where nothing may be raised, a new connection must not be tried for."""
        self._drop_closed()
        super().close_if_unusable_or_obsolete()

    def _drop_closed(self):
        if self.connection is not None and self.connection.closed and not self.in_atomic_block:
            self.close()

    def is_usable(self):
        with database_deadline(HEALTH_CHECK):
            return super().is_usable()
