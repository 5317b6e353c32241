"""Django's backend for PostgreSQL with deadlines (docs/mechanisms/database-deadline.md).

Connections observe the deadline of `integrations.base.database_deadline` and measure the database's time for
`integrations.base.database_clock`.

psycopg waits for the server in only two functions: `wait` and the generator that connects. All statements, commits,
copies and TLS handshakes use these functions. Here both functions end at the deadline. A frozen server keeps its socket
open and acknowledges packets, so no time-out of the server or of TCP would end the wait.
"""

import contextlib
import logging
import math
import select
import threading
import time
from collections.abc import Iterator

import psycopg
from django.db.backends.postgresql import base
from django.utils.functional import cached_property
from psycopg.errors import ConnectionTimeout, _WaitTimeout
from psycopg.pq import ConnStatus, TransactionStatus

from integrations.base.database_clock import is_measurement_due, measure
from integrations.base.database_deadline import NEVER, database_deadline, statement_limit, time_left
from orders.restore.newest_server import is_behind
from project.database.database_settings import session_limits
from project.database.error_counter import CountedErrors

logger = logging.getLogger(__name__)
CHECK_EVERY = 0.1  # seconds between two checks for Ctrl-C while waiting, as in psycopg
AWAY_TIMEOUT = 1.5  # seconds for each address after the database did not respond; psycopg's own minimum is 2
GATE_TIMEOUT = 0.2  # seconds that a thread waits for another thread that connects, which usually takes less
FRESH = 1.0  # seconds after a response in which a connection needs no health check
HEALTH_CHECK = 2.0  # seconds without a response until a connection counts as broken; leaves time to reconnect


class DeadlineError(psycopg.OperationalError):
    """The database did not respond in time. Its connection is closed, so that no late response is read from it."""

    is_deadline = True


class Gate:
    """Lets only one thread of a process connect while the database does not respond. All other threads fail after
    GATE_TIMEOUT.

    Without the gate, each request would occupy a thread of the web process until its own deadline. Queued requests
    would then be answered much later than promised.
    """

    def __init__(self):
        self.shut = False
        self._trying = threading.Lock()

    @contextlib.contextmanager
    def passed(self) -> Iterator[None]:
        if not self.shut:
            try:
                yield
            except ConnectionTimeout:
                self.shut = True
                raise
            return
        if not self._trying.acquire(timeout=GATE_TIMEOUT):
            raise psycopg.OperationalError("the database does not answer; another connection is being tried")
        try:
            yield
            self.shut = False
        finally:
            self._trying.release()


gate = Gate()


class DeadlineConnection(psycopg.Connection):
    """A connection that waits at most `time_left()` for a response. If no response arrives, the connection is
    closed."""

    answered_at = -math.inf  # monotonic time of the last response

    @classmethod
    def _connect_gen(cls, conninfo: str = ""):
        """Connects to an address within the deadline. While the gate is shut, connects within AWAY_TIMEOUT.

        psycopg's connect_timeout applies to each address. The deadline applies to all addresses together.
        """
        until = time.monotonic() + AWAY_TIMEOUT if gate.shut else NEVER
        steps = super()._connect_gen(conninfo)
        try:
            _check_time(until)
            wanted = next(steps)
            while True:
                ready = yield wanted
                _check_time(until)
                wanted = steps.send(ready)
        except StopIteration as end:
            return end.value

    def wait(self, gen, interval: float = CHECK_EVERY, timeout: float | None = None):
        result = self._wait_in_time(gen, interval, timeout)
        self.answered_at = time.monotonic()
        return result

    def _wait_in_time(self, gen, interval: float, timeout: float | None):
        left = time_left()
        if left == NEVER or (timeout is not None and timeout < left):
            return super().wait(gen, interval, timeout)
        if left <= 0:
            gen.close()  # not started, so nothing was sent
            raise DeadlineError("no time is left for another statement")
        try:
            return super().wait(gen, interval, left)
        except _WaitTimeout:
            self.pgconn.finish()
            gate.shut = True
            raise DeadlineError(f"no answer within {left:.1f} s") from None

    def is_fresh(self) -> bool:
        """Returns True if the server responded within FRESH seconds and has not closed the connection since. (If the
        server has closed a socket, the socket is readable.)"""
        if time.monotonic() - self.answered_at > FRESH or self.pgconn.status != ConnStatus.OK:
            return False
        poller = select.poll()
        poller.register(self.pgconn.socket, select.POLLIN)
        return not poller.poll(0)


def _check_time(until: float) -> None:
    if time_left() <= 0 or time.monotonic() >= until:
        raise ConnectionTimeout("no answer to the attempt to connect")


class Cursor(base.ServerBindingCursor):
    """Never prepares a statement with LIKE, so the server plans it for its values.

    The server may keep one plan of a prepared statement for all values. For LIKE such a plan reads the whole table,
    since it depends on the value whether an index fits.
    """

    def execute(self, query, params=None, *, prepare=None, binary=None):
        if prepare is None and " LIKE " in query:
            prepare = False
        return super().execute(query, params, prepare=prepare, binary=binary)


class _Driver:
    connect = staticmethod(DeadlineConnection.connect)

    def __getattr__(self, name: str):
        return getattr(psycopg, name)


class DatabaseWrapper(base.DatabaseWrapper):
    """Replaces a connection that was closed at its deadline, as soon as the statement's transaction has ended."""

    Database = _Driver()

    def __init__(self, settings_dict, alias=base.NO_DB_ALIAS):
        super().__init__(settings_dict, alias)
        if pool := self.settings_dict["OPTIONS"].get("pool"):
            self.settings_dict["OPTIONS"]["pool"] = {**pool, "connection_class": DeadlineConnection}

    @cached_property
    def wrap_database_errors(self):
        return CountedErrors(self)

    def get_connection_params(self):
        params = super().get_connection_params()
        if params["cursor_factory"] is base.ServerBindingCursor:
            params["cursor_factory"] = Cursor
        if not self.settings_dict.get("POOLER"):
            # The URL's options come last, so that they override ours.
            params["options"] = f"{session_limits(statement_limit())} {params.get('options', '')}".strip()
        return params

    def get_new_connection(self, conn_params):
        with gate.passed():
            found = super().get_new_connection(conn_params)
            if "," in str(conn_params.get("host", "")) and not self.pool and self._is_behind(found):
                return self._newer(found, conn_params)
            return found

    def _newer(self, found: psycopg.Connection, conn_params: dict) -> psycopg.Connection:
        """Returns a connection to another server that is not behind, or `found` if there is none."""
        hosts = conn_params["host"].split(",")
        ports = str(conn_params.get("port", "")).split(",")
        for host, port in zip(hosts, ports if len(ports) == len(hosts) else ports * len(hosts), strict=True):
            if host == found.info.host and port in {"", str(found.info.port)}:
                continue
            with contextlib.suppress(psycopg.Error):
                other = super().get_new_connection(conn_params | {"host": host, "port": port})
                if not self._is_behind(other):
                    logger.warning("%s:%s is behind %s: an old primary?", found.info.host, found.info.port, host)
                    found.close()
                    return other
                other.close()
        return found

    def _is_behind(self, server: psycopg.Connection) -> bool:
        try:
            return is_behind(server)
        except psycopg.Error:  # a standby; or a database without our tables
            server.rollback()
            return True

    def ensure_connection(self):
        """Also measures the database's clock, every MEASURE_EVERY seconds. The clock is measured here because all code
        that compares due times connects first."""
        self._drop_closed()
        super().ensure_connection()
        if is_measurement_due() and self._can_measure():
            with self.wrap_database_errors:
                measure(self.connection)

    def _can_measure(self) -> bool:
        """Returns True if a statement can be run now for the measurement.

        The statement must not start a transaction. It must not fail because the transaction has failed or the
        connection is not checked yet.
        """
        if self.health_check_enabled and not self.health_check_done:
            return False
        status = self.connection.info.transaction_status
        return status == TransactionStatus.INTRANS or (status == TransactionStatus.IDLE and self.connection.autocommit)

    def close_if_unusable_or_obsolete(self):
        """Does not reconnect, because it must not raise. Django calls it at the start and the end of a request."""
        self._drop_closed()
        super().close_if_unusable_or_obsolete()

    def _drop_closed(self):
        if self.connection is not None and self.connection.closed and not self.in_atomic_block:
            self.close()

    def close_if_health_check_failed(self):
        """Skips the health check of a fresh connection, to save a round trip for each request of a burst."""
        if self.connection is not None and not self.health_check_done and self.connection.is_fresh():
            self.health_check_done = True
        super().close_if_health_check_failed()

    def is_usable(self):
        """Returns True if the connection works. Instead of Django's SELECT 1, it reads the database's time."""
        with database_deadline(HEALTH_CHECK):
            try:
                measure(self.connection)
            except psycopg.Error:
                return False
            return True
