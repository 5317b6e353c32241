"""Django's DATABASES entry from DATABASE_URL and DATABASE_POOLER. Pure.

PostgreSQL: the URL's options win, numbers and switches are converted, we add the rest. SQLite: OPTIONS is ours.
"""

import math
from urllib.parse import parse_qsl, unquote, urlsplit

import environ

SQLITE_PATIENCE = 20.0  # seconds that a transaction waits for another one, unless a deadline comes first
CONNECT_TIMEOUT = 5  # seconds for each address
CONNECT_TIMEOUT_OF_SEVERAL = 3  # with several, so that a request reaches the second one if the first is frozen
POOL_TIMEOUT = 5.0  # seconds to wait for a connection of Django's own pool
LOCK_TIMEOUT = 6  # seconds; less than BBOSS's statements get, so that the server reports the lock
IDLE_IN_TRANSACTION = 60  # seconds; frees the locks of a client that is gone
NO_JIT = "-c jit=off"  # compiling a statement of ours to machine code takes seconds, running it milliseconds
# A silent connection is probed after 10 s and given up after 25. One that acknowledges nothing is given up after 20.
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
TCP_USER_TIMEOUT = 20_000  # milliseconds

# Settings of Django that a URL may have, and options that are not text. All others go to libpq unchanged.
DJANGOS = {"CONN_MAX_AGE", "CONN_HEALTH_CHECKS", "DISABLE_SERVER_SIDE_CURSORS", "ATOMIC_REQUESTS", "AUTOCOMMIT"}
MAY_BE_NONE = {"CONN_MAX_AGE", "prepare_threshold"}
NUMBERS = {*MAY_BE_NONE, *KEEPALIVES, "connect_timeout", "tcp_user_timeout", "isolation_level"}
SWITCHES = {*(DJANGOS - MAY_BE_NONE), "server_side_binding", "pool"}


class WrongURLError(ValueError):
    """A part of the URL can't be read. The text does not name the setting."""


def database_entry(url: str, *, pooler: bool = False) -> dict:
    """The entry for `sqlite:///PATH` or `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME?OPTION=VALUE&...`.

    `pooler`: a pooler such as PgBouncer is in between, so nothing is kept in a database session. Raises WrongURLError.
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
        if name.upper() in DJANGOS:
            entry[name.upper()] = _read(name, text, option=name.upper())
        else:
            entry["OPTIONS"][name] = _read(name, text, option=name)
    _add_defaults(entry, several=len(hosts) > 1)
    return entry


def session_limits(statements: float) -> str:
    """Returns start-up options by which the server ends statements that the client has given up. They set no limit if
    the process has none."""
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
        # IMMEDIATE: a transaction takes the write lock at its start, so nothing it has read can change.
        "transaction_mode": "IMMEDIATE",
        "timeout": SQLITE_PATIENCE,
        # FULL: 00000 promises that the commit is on disk. NORMAL may lose the last commits in a power cut.
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
    # Values are sent beside the text, not in it. The server keeps the plans of repeated statements.
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
    """(host, port) of each address. IPv6 addresses lose their brackets. A socket's folder may be %-quoted. An address
    without a host is libpq's own socket."""
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
