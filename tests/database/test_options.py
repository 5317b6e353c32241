"""Tests Django's database settings, which are made from DATABASE_URL and DATABASE_POOLER."""

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from integrations.base.database_deadline import NEVER
from project.base.settings_table import InvalidSettingError, database
from project.database.database_settings import database_entry, session_limits


def options(url: str, **more) -> dict:
    return database_entry(url, **more)["OPTIONS"]


def test_without_a_pooler_the_server_keeps_plans_and_the_network_is_watched():
    entry = database_entry("postgres://ibs@127.0.0.1:5432/ibs")
    assert entry["ENGINE"] == "project.database.postgresql"
    assert (entry["HOST"], entry["PORT"], entry["NAME"], entry["USER"]) == ("127.0.0.1", "5432", "ibs", "ibs")
    assert (entry["CONN_MAX_AGE"], entry["CONN_HEALTH_CHECKS"]) == (60, True)
    found = entry["OPTIONS"]
    assert (found["server_side_binding"], found["prepare_threshold"], found["connect_timeout"]) == (True, 5, 5)
    assert found["keepalives_idle"] + found["keepalives_interval"] * found["keepalives_count"] <= 30
    assert found["tcp_user_timeout"] <= 30_000
    assert "pool" not in found


def test_behind_a_pooler_nothing_is_kept_in_a_session():
    entry = database_entry("postgres://ibs@127.0.0.1:6432/ibs", pooler=True)
    assert entry["OPTIONS"]["prepare_threshold"] is None
    assert entry["DISABLE_SERVER_SIDE_CURSORS"] is True
    assert "options" not in entry["OPTIONS"]


@pytest.mark.parametrize("pooler", [False, True])
@pytest.mark.parametrize(
    "query, name, value",
    [
        ("prepare_threshold=3", "prepare_threshold", 3),
        ("prepare_threshold=none", "prepare_threshold", None),
        ("prepare_threshold=0", "prepare_threshold", 0),
        ("connect_timeout=9", "connect_timeout", 9),
        ("server_side_binding=false", "server_side_binding", False),
        ("keepalives_idle=33", "keepalives_idle", 33),
        ("tcp_user_timeout=1000", "tcp_user_timeout", 1000),
        ("options=-c%20lock_timeout%3D1s", "options", "-c lock_timeout=1s"),
        ("target_session_attrs=read-write", "target_session_attrs", "read-write"),
        ("application_name=007", "application_name", "007"),
        ("sslmode=verify-full", "sslmode", "verify-full"),
    ],
)
def test_what_the_url_says_is_never_overwritten(query, name, value, pooler):
    assert options(f"postgres://ibs@127.0.0.1/ibs?{query}", pooler=pooler)[name] == value


@pytest.mark.parametrize("spelling", ["disable_server_side_cursors", "DISABLE_SERVER_SIDE_CURSORS"])
@pytest.mark.parametrize("word, value", [("true", True), ("1", True), ("false", False), ("off", False)])
def test_djangos_own_settings_may_stand_in_the_url(spelling, word, value):
    entry = database_entry(f"postgres:///ibs?{spelling}={word}&conn_max_age=5&conn_health_checks=no", pooler=True)
    assert entry["DISABLE_SERVER_SIDE_CURSORS"] is value
    assert (entry["CONN_MAX_AGE"], entry["CONN_HEALTH_CHECKS"]) == (5, False)
    assert database_entry("postgres:///ibs?conn_max_age=none")["CONN_MAX_AGE"] is None


def test_djangos_own_pool_keeps_its_connections_itself():
    entry = database_entry("postgres:///ibs?pool=true")
    assert entry["CONN_MAX_AGE"] == 0
    assert entry["OPTIONS"]["pool"]["timeout"] < 8
    assert "pool" not in options("postgres:///ibs?pool=false")


@pytest.mark.parametrize(
    "url, host, port, name",
    [
        ("postgres:///ibs", "", "", "ibs"),
        ("postgres://ibs@db/ibs", "db", "", "ibs"),
        ("postgres://u:p%40ss@db:5433/ibs", "db", "5433", "ibs"),
        ("postgres://u:p@h1:5432,h2:5433/ibs?target_session_attrs=read-write", "h1,h2", "5432,5433", "ibs"),
        ("postgres://u:p@h1,h2:5433/ibs", "h1,h2", ",5433", "ibs"),
        ("postgres://u:p@h1,h2/ibs", "h1,h2", "", "ibs"),
        ("postgres://u@[::1]:5433/ibs", "::1", "5433", "ibs"),
        ("postgres://u@[::1]:5433,[fd00::5]/ibs", "::1,fd00::5", "5433,", "ibs"),
        ("postgres://u@:5433/ibs", "", "5433", "ibs"),
        ("postgres://u@h1,:5433/ibs", "h1,", ",5433", "ibs"),
        ("postgres://u@%2Fvar%2Frun%2FPostgres/ibs", "/var/run/Postgres", "", "ibs"),
        ("postgres:////var/run/postgresql/ibs", "/var/run/postgresql", "", "ibs"),
    ],
)
def test_addresses(url, host, port, name):
    entry = database_entry(url)
    assert (entry["HOST"], entry["PORT"], entry["NAME"]) == (host, port, name)


def test_of_several_hosts_the_second_is_reached_within_a_request():
    assert options("postgres://u@h1,h2/ibs")["connect_timeout"] * 2 + 2 <= 8


def test_all_of_it_is_what_libpq_knows():
    """libpq knows all options of the connection. A misspelt name would stop every connection."""
    found = options("postgres://u@h1,h2/ibs?target_session_attrs=read-write")
    ours = {name: value for name, value in found.items() if name not in {"server_side_binding", "prepare_threshold"}}
    assert conninfo_to_dict(make_conninfo(**ours, options=session_limits(8)))["tcp_user_timeout"] == "20000"


@pytest.mark.parametrize(
    "query, words",
    [
        ("connect_timeout=soon", "connect_timeout must be a whole number, not 'soon'"),
        ("prepare_threshold=yes", "prepare_threshold must be a whole number, not 'yes'"),
        ("conn_max_age=", "conn_max_age must be a whole number, not ''"),
        ("pool=perhaps", "pool must be true or false, not 'perhaps'"),
    ],
)
def test_what_cant_be_read_is_named(query, words):
    with pytest.raises(InvalidSettingError, match=f"^DATABASE_URL: {words}$"):
        database("DATABASE_URL", f"postgres:///ibs?{query}")


@pytest.mark.parametrize("url", ["postgres://u@h1:a,h2/ibs", "postgres://u@h1:5432,h2:5432x/ibs"])
def test_a_port_that_is_no_number_is_named(url):
    with pytest.raises(InvalidSettingError, match="^DATABASE_URL: "):
        database("DATABASE_URL", url)


def test_server_side_limits_follow_the_clients():
    """The server ends what the client has given up. It ends a wait for a lock before BBOSS's request ends."""
    assert session_limits(20.0) == (
        "-c jit=off -c statement_timeout=20000 -c lock_timeout=6000 -c idle_in_transaction_session_timeout=60000"
    )
    assert "statement_timeout=0" in session_limits(NEVER)


def test_sqlite_keeps_its_promises_to_the_disk():
    entry = database_entry("sqlite:////var/lib/ibs/desk.sqlite3")
    assert (entry["ENGINE"], entry["NAME"]) == ("project.database.sqlite", "/var/lib/ibs/desk.sqlite3")
    assert entry["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "synchronous=FULL" in entry["OPTIONS"]["init_command"]


def test_sqlite_takes_no_options_from_the_url():
    with pytest.raises(
        InvalidSettingError, match=r"^DATABASE_URL: an SQLite database takes no options, and has 'timeout'$"
    ):
        database("DATABASE_URL", "sqlite:///desk.sqlite3?timeout=5")
    assert database_entry("sqlite:///desk.sqlite3?conn_max_age=5")["CONN_MAX_AGE"] == 5
