"""Django's DATABASES entry from DATABASE_URL and DATABASE_POOLER. Pure.

For PostgreSQL, options of the URL override ours. For SQLite, the URL may have no options.
"""

import math
from urllib.parse import parse_qsl, unquote, urlsplit

import environ

SQLITE_PATIENCE = 20.0  # seconds that a transaction waits for a lock; a deadline may be shorter
CONNECT_TIMEOUT = 5  # seconds for each address
CONNECT_TIMEOUT_OF_SEVERAL = (
    3  # seconds for each of several addresses, so that a request reaches the second if the first is frozen
)
POOL_TIMEOUT = 5.0  # seconds to wait for a connection of Django's own pool
LOCK_TIMEOUT = 6  # seconds; below the statement limit of the intake, so that the server reports the lock
IDLE_IN_TRANSACTION = 60  # seconds; releases the locks of a client that has disappeared
NO_JIT = "-c jit=off"  # compiling our statements takes seconds, executing them takes milliseconds
# An idle connection is probed after 10 s and closed after 25 s. Unacknowledged data closes a connection after 20 s.
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
TCP_USER_TIMEOUT = 20_000  # milliseconds

# Settings of Django that a URL may have, and options that are not text. All others go to libpq unchanged.
DJANGO_SETTINGS = {"CONN_MAX_AGE", "CONN_HEALTH_CHECKS", "DISABLE_SERVER_SIDE_CURSORS", "ATOMIC_REQUESTS", "AUTOCOMMIT"}
MAY_BE_NONE = {"CONN_MAX_AGE", "prepare_threshold"}
NUMBERS = {*MAY_BE_NONE, *KEEPALIVES, "connect_timeout", "tcp_user_timeout", "isolation_level"}
SWITCHES = {*(DJANGO_SETTINGS - MAY_BE_NONE), "server_side_binding", "pool"}


class WrongURLError(ValueError):
    """A part of the URL is invalid. The message does not name the setting."""


def database_entry(url: str, *, pooler: bool = False) -> dict:
    """Returns the entry for `sqlite:///PATH` or `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME?OPTION=VALUE&...`.
    Raises WrongURLError.

    `pooler` is for a pooler such as PgBouncer in transaction mode. Then a database session must keep no state.
    """
    if url.startswith("sqlite"):
        return _sqlite(url)
    plain, _, query = url.partition("?")
    try:
        entry = environ.Env.db_url_config(plain)
    except ValueError as error:  # a port that is not a number
        raise WrongURLError(str(error)) from error
    hosts = _hosts(plain)
    if hosts:
        entry["HOST"], entry["PORT"] = (",".join(part) for part in zip(*hosts, strict=True))
        if not entry["PORT"].strip(","):
            entry["PORT"] = ""
    entry |= {"ENGINE": "project.database.postgresql", "POOLER": pooler, "OPTIONS": {}}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name.upper() in DJANGO_SETTINGS:
            entry[name.upper()] = _read(name, text, option=name.upper())
        else:
            entry["OPTIONS"][name] = _read(name, text, option=name)
    _add_defaults(entry, several=len(hosts) > 1)
    return entry


def session_limits(statements: float) -> str:
    """Returns connection options with time-outs, at which the server ends statements that the client has given up.
    `statements` is the limit in seconds. If it is infinite, there are no time-outs."""
    if math.isinf(statements):
        return f"{NO_JIT} -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
    return (
        f"{NO_JIT} -c statement_timeout={int(statements * 1000)} -c lock_timeout={LOCK_TIMEOUT * 1000}"
        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION * 1000}"
    )


def _sqlite(url: str) -> dict:
    entry = environ.Env.db_url_config(url)
    if unknown := entry.get("OPTIONS"):
        raise WrongURLError(f"an SQLite database takes no options, and has {', '.join(map(repr, unknown))}")
    entry["ENGINE"] = "project.database.sqlite"
    entry["OPTIONS"] = {
        # IMMEDIATE: a transaction takes the write lock at its start, so that rows which it has read can't change.
        "transaction_mode": "IMMEDIATE",
        "timeout": SQLITE_PATIENCE,
        # FULL: the reply 00000 guarantees that the commit is on disk. NORMAL may lose commits in a power failure.
        "init_command": (
            f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout={int(SQLITE_PATIENCE * 1000)};"
        ),
    }
    return entry


def _add_defaults(entry: dict, *, several: bool) -> None:
    options, pooler, pool = entry["OPTIONS"], entry["POOLER"], entry["OPTIONS"].get("pool")
    entry.setdefault("CONN_MAX_AGE", 0 if pool else 60)
    entry.setdefault("CONN_HEALTH_CHECKS", True)
    if pooler:
        entry.setdefault("DISABLE_SERVER_SIDE_CURSORS", True)
    # Parameters are sent separately from the statement, and the server caches the plans of repeated statements.
    ours = KEEPALIVES | {
        "server_side_binding": True,
        "prepare_threshold": None if pooler else 5,
        "tcp_user_timeout": TCP_USER_TIMEOUT,
        "connect_timeout": CONNECT_TIMEOUT_OF_SEVERAL if several else CONNECT_TIMEOUT,
    }
    entry["OPTIONS"] = ours | options
    if pool:
        entry["OPTIONS"]["pool"] = {"timeout": POOL_TIMEOUT}
    else:
        entry["OPTIONS"].pop("pool", None)


def _hosts(url: str) -> list[tuple[str, str]]:
    """Returns (host, port) of each address. Removes the brackets of IPv6 addresses. Decodes the %-encoded folder of a
    socket. An empty host means libpq's default socket."""
    place = urlsplit(url).netloc.rpartition("@")[2]
    found = []
    for address in filter(None, place.split(",")):
        host, colon, port = address.rpartition(":")
        if not colon or address.endswith("]"):
            host, port = address, ""
        if port and not port.isdecimal():
            raise WrongURLError(f"a port must be a number, not {port!r}")
        found.append((unquote(host).strip("[]"), port))
    return found


def _read(name: str, text: str, *, option: str):
    word = text.strip().lower()
    if option in SWITCHES:
        if word in {"true", "1", "yes", "on"}:
            return True
        if word in {"false", "0", "no", "off"}:
            return False
        raise WrongURLError(f"{name} must be true or false, not {text!r}")
    if option not in NUMBERS:
        return text
    if option in MAY_BE_NONE and word == "none":
        return None
    try:
        return int(word)
    except ValueError:
        raise WrongURLError(f"{name} must be a whole number, not {text!r}") from None
