"""Time limits of database work, and the classification of errors of a database that does not answer.

Two bounds; the earlier one counts (docs/mechanisms/database-deadline.md):

- a moment, `with database_deadline(seconds):`, until which all work of one request or one look must be done;
- the process's limit for each statement, `limit_statements(seconds)`, for all that has no moment of its own.

The engines in `project/database` keep both. Times are in seconds.
"""

import contextlib
import contextvars
import logging
import math
import time
from collections.abc import Iterator

from django.db import Error, InterfaceError, OperationalError

INTAKE_SECONDS = 8.0  # a request of BBOSS or BPM: BBOSS has its 503 within 10
INTAKE_STATEMENT = 7.0  # one statement of it: who waited for its thread meanwhile is to be answered within 10 as well
PAGE_SECONDS = 30.0  # a page of staff
WORKER_SECONDS = 20.0  # a statement of the worker's processes
COMMAND_SECONDS = 300.0  # a statement of a command that a person runs
NEVER = math.inf
CHECK_SECONDS = 5.0  # a look from outside: the watchdog's, /readyz, `status`

# PostgreSQL's codes: connection, resources (full disk, too many connections), the operator's act, the system;
# then: read only, a lock not had in time, a transaction that was idle for too long.
AWAY_CLASSES = {"08", "53", "57", "58"}
AWAY_STATES = {"25006", "55P03", "25P03"}
AWAY_SQLITE = {5, 6, 8, 10, 13, 14}  # busy, locked, read only, I/O error, full, can't be opened

_deadline = contextvars.ContextVar("database_deadline", default=(NEVER, NEVER))  # moment, longest statement
_limit = NEVER


@contextlib.contextmanager
def database_deadline(seconds: float, *, statement: float = NEVER) -> Iterator[None]:
    """Ends all work with the database inside by then, or makes it fail with django.db.OperationalError.

    No statement starts later, and none takes longer than `statement`. Within another one the earlier moment and the
    shorter statement count.
    """
    moment, longest = _deadline.get()
    token = _deadline.set((min(moment, time.monotonic() + seconds), min(longest, statement)))
    try:
        yield
    finally:
        _deadline.reset(token)


def limit_statements(seconds: float) -> None:
    """Sets the longest time of a statement in this process and in those that it forks. Call it before the first."""
    global _limit
    _limit = seconds


def statement_limit() -> float:
    return _limit


def time_left() -> float:
    """Returns the seconds that a statement may take from now on. 0 or less: none may begin; NEVER: no limit."""
    moment, longest = _deadline.get()
    return min(moment - time.monotonic(), longest, _limit)


def is_away(error: BaseException | None) -> bool:
    """Returns True if an error, or its cause, says that the database can't be used now. False for a fault of our
    code."""
    return away_error(error) is not None


def away_error(error: BaseException | None) -> Error | None:
    """Returns the first error of the chain that says that the database is away."""
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
    """An error's words without line breaks: drivers and PostgreSQL's programs write several."""
    return " ".join(str(error).split())


class Outage:
    """Logs one line when the database goes away and one when it is back, however often a loop tries.

    The second line says how many calls were refused meanwhile (`refuse`).
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
