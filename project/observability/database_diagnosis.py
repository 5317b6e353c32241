"""Diagnoses why the database can't work.

The reason may be the holder of a lock, an exhausted sequence, or a constraint or trigger that rejects a row. The values
of a row are never shown.
"""

import re
from contextlib import suppress

from django.db import Error, connection
from django.utils import timezone

from integrations.base.database_deadline import error_line

NOT_IN_TIME = {"55P03", "57014", None}  # lock not available, statement cancelled, or the client's own deadline
NO_NUMBERS, NO_RIGHT = "2200H", "42501"
NO_DISK = {"53100", "58030"}
SQLITE_BUSY, SQLITE_READ_ONLY, SQLITE_FULL = {5, 6}, 8, 13
SQLITE_LAST = 2**63 - 1
KEEP_OUT = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")  # from writing
READERS_TOO = ("AccessExclusiveLock",)
WRITERS = ("RowExclusiveLock", "RowShareLock")  # may hold row locks
HOLDER = """SELECT locks.pid, activity.usename, activity.application_name, activity.xact_start, locks.mode, relname,
    upper(substring(activity.query FROM '^\\s*([[:alpha:]]+)'))
FROM pg_locks AS locks JOIN pg_class ON pg_class.oid = locks.relation
LEFT JOIN pg_stat_activity AS activity USING (pid)
WHERE granted AND relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
    AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND pid IS DISTINCT FROM pg_backend_pid()
    AND (mode = ANY(%s) OR mode = ANY(%s) AND xact_start < now() - interval '1 second')
ORDER BY mode = ANY(%s) DESC, xact_start LIMIT 1"""
TRIGGERS = """SELECT tgname, tgrelid::regclass::text FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE proname = %s AND NOT tgisinternal ORDER BY 2, 1"""


def diagnosed(error: Exception) -> str:
    """Returns the obstacle in English, followed by the first line of the database's message. If the obstacle can't be
    found, returns only that line. Runs queries, so it must be called outside the failed transaction."""
    driver = error.__cause__ or error
    said = error_line(str(error).partition("\n")[0])  # further lines show our statement
    with suppress(Error):
        if what := _named(driver, said) if isinstance(error, Error) else "":
            return f"{what} ({said})"
    return said


def _named(driver: BaseException, said: str) -> str:
    if connection.vendor == "sqlite":
        return _named_by_sqlite(driver, said)
    state, about = getattr(driver, "sqlstate", None), getattr(driver, "diag", None)
    if state in NOT_IN_TIME:
        return lock_holder()
    if state == NO_NUMBERS:
        return f"the sequence {_quoted(said)} is at its end"
    if state == NO_RIGHT:
        return "a right is missing"
    if state in NO_DISK:
        return "no room on the database's disk"
    function = re.search(r"function (?:\w+\.)?(\w+)\(", getattr(about, "context", None) or "")
    if function and (triggers := _rows(TRIGGERS, [function[1]])):
        return " or ".join(f"the trigger {trigger} of {table} refuses it" for trigger, table in triggers)
    if name := getattr(about, "constraint_name", None):
        return f"the constraint {name} of {about.table_name} refuses it"
    return ""


def lock_holder(*, of_readers: bool = False) -> str:
    """Returns the session whose lock blocks writers. If there is none, returns the session with the longest writing
    transaction, or "". With `of_readers`, returns only a session that blocks readers.

    Only the first word of a session's statement is shown. A role without pg_read_all_stats sees only the statements of
    its own sessions.
    """
    if connection.vendor != "postgresql":
        return ""
    modes, perhaps = (READERS_TOO, ()) if of_readers else (KEEP_OUT, WRITERS)
    values = [list(modes), list(perhaps), list(modes)]
    for pid, user, application, since, mode, table, verb in _rows(HOLDER, values):
        if pid is None:
            return f"a lock: a prepared transaction holds {mode} on {table}"
        by = f"{user}, {application}" if application else user
        held = f" since {timezone.localtime(since):%Y-%m-%d %H:%M:%S}" if since else ""
        last = f", its last statement is {verb}" if verb else ""
        return f"a lock: pid {pid} (user {by}) holds {mode} on {table}{held}{last}"
    return ""


def _named_by_sqlite(driver: BaseException, said: str) -> str:
    code = getattr(driver, "sqlite_errorcode", None)
    if code is None:
        return ""
    if code & 0xFF in SQLITE_BUSY:
        return "a lock: another process writes"
    if code & 0xFF == SQLITE_READ_ONLY:
        return "a right is missing"
    if code & 0xFF == SQLITE_FULL:
        ended = _rows("SELECT name FROM sqlite_sequence WHERE seq >= %s", [SQLITE_LAST])
        return f"the sequence of {ended[0][0]} is at its end" if ended else "no room on the database's disk"
    rows = _rows("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND instr(sql, %s)", [said])
    if rows:
        return " or ".join(f"the trigger {trigger} of {table} refuses it" for trigger, table in rows)
    return f"a constraint refuses it ({said})" if "constraint failed" in said else ""


def _quoted(said: str) -> str:
    found = re.search(r'"([^"]+)"', said)
    return found[1] if found else ""


def _rows(sql: str, values: list) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()
