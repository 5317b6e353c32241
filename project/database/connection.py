"""psycopg's connection, with the deadline of `integrations.database_deadline` (docs/mechanisms/database-deadline.md).

psycopg waits for the server in two places only: `wait` and the generator that connects. This holds for statements,
commits, copies and TLS. Both end here at the deadline, whatever the network does. A frozen server keeps its socket open
and acknowledges what it gets, so no time-out of the server or of TCP would end the wait.
"""

import contextlib
import threading
import time
from collections.abc import Iterator

import psycopg
from psycopg.errors import ConnectionTimeout, _WaitTimeout

from integrations.database_deadline import NEVER, time_left

CHECK_EVERY = 0.1  # seconds between two looks for Ctrl-C during a wait, as in psycopg
WHILE_AWAY = 1.5  # seconds for each address, after the database did not answer; psycopg itself allows no less than 2
FOR_THE_OTHER = 0.2  # seconds that a thread waits for the one that tries; connecting takes less


class DeadlineError(psycopg.OperationalError):
    """The database did not answer in time. Its connection was closed, so that nothing is read from it any more."""


class Gate:
    """Limits attempts to connect while the database does not answer.

    One thread of a process then tries to connect, briefly, and the others fail at once. Otherwise each request would
    hold a thread of the web process until its own deadline. Requests that wait for a thread would be answered much
    later than promised.
    """

    def __init__(self):
        self.shut = False
        self._trying = threading.Lock()

    @contextlib.contextmanager
    def passed(self) -> Iterator[None]:
        """Surrounds each attempt to connect."""
        if not self.shut:
            try:
                yield
            except ConnectionTimeout:
                self.shut = True
                raise
            return
        if not self._trying.acquire(timeout=FOR_THE_OTHER):
            raise psycopg.OperationalError("the database does not answer; another connection is being tried")
        try:
            yield
            self.shut = False
        finally:
            self._trying.release()


gate = Gate()


class DeadlineConnection(psycopg.Connection):
    """A connection that waits only as long as `time_left()` allows. If the server does not answer, it is closed."""

    @classmethod
    def _connect_gen(cls, conninfo: str = ""):
        """Connects to one address. psycopg bounds each address (connect_timeout); this bounds all of them together."""
        until = time.monotonic() + WHILE_AWAY if gate.shut else NEVER
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


def _check_time(until: float) -> None:
    """Raises if the time for this address, or for all, is over."""
    if time_left() <= 0 or time.monotonic() >= until:
        raise ConnectionTimeout("no answer to the attempt to connect")
