"""Time limits of database work, and the classification of database errors.

There are two limits. The earlier limit applies (docs/mechanisms/database-deadline.md):

- `with database_deadline(seconds):` limits all database work of a request or a check;
- `limit_statements(seconds)` limits each statement of the process that has no deadline of its own.

The engines in `project/database` enforce both. Times are in seconds.
"""

import contextlib
import contextvars
import logging
import math
import time
from collections.abc import Iterator

from django.db import Error, InterfaceError, OperationalError

INTAKE_SECONDS = 8.0  # a request of BBOSS or BPM: BBOSS must get its 503 within 10
INTAKE_STATEMENT = 7.0  # a statement of such a request: the thread's next request must be answered within 10 s too
PAGE_SECONDS = 30.0  # a staff page
WORKER_SECONDS = 20.0  # a statement of the worker's processes
COMMAND_SECONDS = 300.0  # a statement of a management command
NEVER = math.inf
CHECK_SECONDS = 5.0  # a check by the watchdog, /readyz or `status`

# SQLSTATE classes and codes: connection, resources (full disk, too many connections), operator intervention, system
# error; read-only transaction, lock timeout, idle-in-transaction timeout.
AWAY_CLASSES = {"08", "53", "57", "58"}
AWAY_STATES = {"25006", "55P03", "25P03"}
AWAY_SQLITE = {5, 6, 8, 10, 13, 14}  # busy, locked, read only, I/O error, full, can't be opened

# (monotonic time of the deadline, seconds of the longest statement)
_deadline = contextvars.ContextVar("database_deadline", default=(NEVER, NEVER))
_limit = NEVER


@contextlib.contextmanager
def database_deadline(seconds: float, *, statement: float = NEVER) -> Iterator[None]:
    """Limits the database work of the block to `seconds`. After the deadline it raises django.db.OperationalError.

    No statement starts after the deadline, and no statement runs longer than `statement` seconds. In a nested block
    the earlier deadline and the shorter statement limit apply.
    """
    moment, longest = _deadline.get()
    token = _deadline.set((min(moment, time.monotonic() + seconds), min(longest, statement)))
    try:
        yield
    finally:
        _deadline.reset(token)


def limit_statements(seconds: float) -> None:
    """Sets the longest time of a statement in this process and in the children that it forks later. Call this function
    before the first statement."""
    global _limit
    _limit = seconds


def statement_limit() -> float:
    return _limit


def time_left() -> float:
    """Returns the seconds that a statement may take now. With 0 or less, no statement may start. NEVER means no
    limit."""
    moment, longest = _deadline.get()
    return min(moment - time.monotonic(), longest, _limit)


def is_away(error: BaseException | None) -> bool:
    """Returns True if the error or one of its causes shows that the database is unavailable. An error in our code gives
    False."""
    return away_error(error) is not None


def away_error(error: BaseException | None) -> Error | None:
    """Returns the first error in the chain of causes that shows an unavailable database, or None."""
    while error is not None:
        if isinstance(error, Error) and _says_away(error):
            return error
        error = error.__cause__ or error.__context__
    return None


def _says_away(error: Error) -> bool:
    driver = error.__cause__ or error
    if state := getattr(driver, "sqlstate", None):
        return state[:2] in AWAY_CLASSES or state in AWAY_STATES
    if (code := getattr(driver, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in AWAY_SQLITE
    return isinstance(error, OperationalError | InterfaceError)


def error_line(error: BaseException | str) -> str:
    """Returns an error's text on one line. Texts of drivers and of PostgreSQL's programs have several lines."""
    return " ".join(str(error).split())


class Outage:
    """Logs a line when the database becomes unavailable, and a line when it is available again.

    Repeated calls of `began` and `over` log nothing. The second line contains the number of calls that were refused
    meanwhile (`refuse`).
    """

    def __init__(self, logger: logging.Logger, who: str):
        self._logger, self._who = logger, who
        self._since: float | None = None
        self._refused = 0

    def refuse(self) -> None:
        if self._since is not None:
            self._refused += 1

    def began(self, error: BaseException) -> None:
        if self._since is None:
            self._since = time.monotonic()
            self._logger.error("the database does not answer %s: %s", self._who, error_line(error))

    def over(self) -> None:
        if self._since is not None:
            took, refused = time.monotonic() - self._since, self._refused
            self._since, self._refused = None, 0
            said = f"; {refused} calls were refused meanwhile" if refused else ""
            self._logger.warning("the database answers %s again after %.0f s%s", self._who, took, said)
