"""Tests the engine for PostgreSQL: a call that hangs ends at its deadline, and its connection is not used again."""

import contextlib
import multiprocessing
import socket
import ssl
import subprocess
import time
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from integrations.base.database_deadline import database_deadline, is_away, limit_statements
from project.database.database_settings import database_entry
from project.database.postgresql.base import AWAY_TIMEOUT, HEALTH_CHECK, gate
from tests.harness.relay import Relay
from tests.processes.conftest import postgres  # noqa: F401  the server's address
from tests.races.conftest import at_once

SOON = 0.5


@pytest.fixture(autouse=True)
def server(postgres, django_db_blocker):  # noqa: F811
    """Yields the address of a PostgreSQL server. Each test begins as if the server had always answered."""
    if not postgres:
        pytest.skip("of PostgreSQL alone")
    gate.shut = False
    with django_db_blocker.unblock():  # the tests open connections to the database `postgres`
        yield urlsplit(postgres)
    gate.shut = False


@pytest.fixture
def relay(server):
    with Relay(server.hostname, server.port or 5432) as running:
        yield running


@pytest.fixture
def connect(server):
    """Returns a function that makes a Django connection with the desk's engine.

    `address` is the host with the port, and `query` is the query part of the URL.
    """
    made = []

    def make(address: str, query: str = ""):
        url = f"postgres://{server.username or 'root'}@{address}/postgres{query}"
        handler = ConnectionHandler({"default": database_entry(url)})
        made.append(handler["default"])
        made[-1].inc_thread_sharing()
        return made[-1]

    yield make
    for found in made:
        found.close()
        if found.settings_dict["OPTIONS"].get("pool"):
            found.close_pool()


@pytest.fixture
def through(connect, relay):
    return connect(f"127.0.0.1:{relay.port}")


def ask(connection, statement: str = "SELECT 1"):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


@contextlib.contextmanager
def ends(seconds: float, *, at_once: bool = False):
    """Asserts that the block fails as with an unavailable database, at its deadline and not much later."""
    began = time.monotonic()
    with database_deadline(seconds), pytest.raises(OperationalError) as raised:
        yield
    took = time.monotonic() - began
    assert is_away(raised.value)
    assert took < (0 if at_once else seconds) + 10  # the machine may be busy


def test_a_statement(through, relay):
    ask(through)
    relay.freeze()
    with ends(SOON):
        ask(through)
    relay.thaw()
    assert ask(through) == 1  # on a new connection, so nobody reads late bytes of the old one
    assert relay.taken == 2


def test_a_commit(through, relay):
    with ends(SOON), transaction_of(through):
        ask(through)
        relay.freeze()
    relay.thaw()
    assert ask(through) == 1


def transaction_of(connection) -> contextlib.AbstractContextManager:
    """Returns a context like `atomic`, for a connection that is not in the settings."""

    @contextlib.contextmanager
    def block():
        connection.set_autocommit(False)
        yield
        connection.commit()
        connection.set_autocommit(True)

    return block()


def test_connecting(through, relay):
    relay.freeze()
    with ends(SOON):
        ask(through)


def test_a_deadline_that_has_passed_lets_no_statement_start(through, relay):
    with through.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE seen (n int)")
    with ends(0, at_once=True):
        ask(through, "INSERT INTO seen VALUES (1) RETURNING n")
    assert ask(through, "SELECT count(*) FROM seen") == 0  # the connection still works, and nothing was sent


def test_the_earlier_of_two_deadlines_counts(through, relay):
    ask(through)
    relay.freeze()
    with database_deadline(60), ends(SOON), database_deadline(30):
        ask(through)


def test_a_statement_may_have_less_than_all(through, relay):
    ask(through)
    relay.freeze()
    began = time.monotonic()
    with database_deadline(60, statement=SOON), pytest.raises(OperationalError):
        ask(through)
    assert time.monotonic() - began < SOON + 10


def test_a_copy_and_a_pipeline(through, relay):
    """The driver's other ways to wait end at the deadline too: COPY and pipelines."""
    through.ensure_connection()
    driver = through.connection
    relay.freeze()
    for use in (lambda: list(driver.cursor().copy("COPY (SELECT 1) TO STDOUT").__enter__()), lambda: piped(driver)):
        with database_deadline(SOON), pytest.raises(psycopg.OperationalError):
            use()


def piped(driver):
    with driver.pipeline():
        driver.execute("SELECT 1")


def test_while_it_is_away_one_thread_tries_and_the_others_fail_at_once(connect, relay):
    relay.freeze()
    with ends(SOON):
        ask(connect(f"127.0.0.1:{relay.port}"))

    def try_it():
        began = time.monotonic()
        with database_deadline(30), contextlib.suppress(OperationalError):
            ask(connect(f"127.0.0.1:{relay.port}"))
        return time.monotonic() - began

    assert max(at_once(*[try_it] * 20)) < 15
    relay.thaw()
    assert ask(connect(f"127.0.0.1:{relay.port}")) == 1
    assert not gate.shut


def test_the_second_host_is_found_within_a_request_though_the_first_is_frozen(connect, relay, server):
    relay.freeze()
    both = connect(
        f"127.0.0.1:{relay.port},{server.hostname}:{server.port or 5432}", "?target_session_attrs=read-write"
    )
    for counts_as_away in (False, True):
        gate.shut = counts_as_away
        with database_deadline(8):
            assert ask(both) == 1
        both.close()


def test_a_unix_socket(connect, server, tmp_path):
    """Connecting over a Unix socket ends at the deadline too."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / ".s.PGSQL.5432"))
    listener.listen()
    with listener, ends(SOON):
        ask(connect(str(tmp_path).replace("/", "%2F")))


class TLSRelay(Relay):
    """Speaks TLS with the client, as PostgreSQL does.

    It answers the plain request with S, and then does the TLS handshake.
    """

    def __init__(self, *target, certificate):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        super().__init__(*target)

    def _relay(self, client):
        client.recv(8)
        client.sendall(b"S")
        super()._relay(self.context.wrap_socket(client, server_side=True))


def test_tls(connect, server, tmp_path):
    certificate = tmp_path / "both.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout {certificate} -out {tmp_path}/c"
    subprocess.run(command.split(), check=True, capture_output=True)
    certificate.write_text(certificate.read_text() + (tmp_path / "c").read_text())
    with TLSRelay(server.hostname, server.port or 5432, certificate=certificate) as relay:
        connection = connect(f"127.0.0.1:{relay.port}", "?sslmode=require")
        assert ask(connection) == 1
        assert connection.connection.pgconn.ssl_in_use
        relay.freeze()
        with ends(SOON):
            ask(connection)


def test_djangos_own_pool(connect, relay):
    pytest.importorskip("psycopg_pool", reason="Django's own pool is not what deploy/README.md recommends")
    pooled = connect(f"127.0.0.1:{relay.port}", "?pool=true")
    assert ask(pooled) == 1
    relay.freeze()
    with ends(SOON):
        ask(pooled)
    relay.thaw()
    pooled.close()
    assert ask(pooled) == 1


def test_a_forked_process_keeps_its_limit(relay, server):
    """A forked process keeps the limit of its parent. gunicorn and django-q fork.

    A fork copies no threads, but the limit does not need a thread.
    """
    url = f"postgres://{server.username or 'root'}@127.0.0.1:{relay.port}/postgres"
    limit_statements(SOON)
    try:
        child = multiprocessing.get_context("fork").Process(target=_child, args=(url,))
        relay.freeze()
        child.start()
        child.join(15)
        assert child.exitcode == 0
    finally:
        limit_statements(float("inf"))


def _child(url: str) -> None:
    connection = ConnectionHandler({"default": database_entry(url)})["default"]
    with contextlib.suppress(OperationalError):
        ask(connection)
        raise AssertionError("it answered")


def test_a_connection_that_lay_idle_while_the_server_froze_is_given_up_soon(through, relay, monkeypatch):
    monkeypatch.setattr("project.database.postgresql.base.FRESH", 0)
    ask(through)
    relay.freeze()
    through.health_check_done = False  # as at the beginning of each request
    began = time.monotonic()
    with database_deadline(60), pytest.raises(OperationalError):
        ask(through)
    assert time.monotonic() - began < HEALTH_CHECK + AWAY_TIMEOUT + 10


@pytest.mark.parametrize("pause", [0, 1.5])
def test_a_connection_that_the_server_closed_is_replaced(connect, server, pause):
    """A connection that the server closed is replaced.

    Within a second after an answer, the state of the socket shows that it was closed. Later, a query shows it.
    """
    ours = connect(f"{server.hostname}:{server.port}")
    ours.health_check_enabled = True
    pid = ask(ours, "SELECT pg_backend_pid()")
    with psycopg.connect(host=server.hostname, port=server.port, user=server.username, dbname="postgres") as direct:
        direct.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    time.sleep(pause)
    ours.health_check_done = False  # as at the beginning of each request
    assert ask(ours, "SELECT pg_backend_pid()") != pid


def test_a_fresh_connection_is_not_asked_whether_it_is_alive(connect, server, monkeypatch):
    ours = connect(f"{server.hostname}:{server.port}")
    ours.health_check_enabled = True
    ask(ours)
    monkeypatch.setattr(ours, "is_usable", lambda: pytest.fail("it was asked"))
    ours.health_check_done = False
    assert ask(ours) == 1


def test_the_end_of_a_request_raises_nothing_and_tries_nothing(through, relay):
    """The end of a request raises nothing and opens no connection, although the server is frozen.

    Django checks each connection at the start and at the end of a request.
    """
    ask(through)
    relay.freeze()
    with ends(SOON):
        ask(through)
    through.close_if_unusable_or_obsolete()
    assert through.connection is None
    assert relay.taken == 1


def test_a_transaction_in_which_it_froze_is_rolled_back(relay, server, through):
    """The server rolls back a transaction during which it froze, and the next caller finds no lock."""
    with psycopg.connect(host=server.hostname, port=server.port, user=server.username, dbname="postgres") as direct:
        direct.execute("CREATE TABLE IF NOT EXISTS desk_deadline (n int)")
        direct.commit()
        through.set_autocommit(False)
        ask(through, "INSERT INTO desk_deadline VALUES (1) RETURNING n")
        relay.freeze()
        with ends(SOON):
            ask(through)
        relay.cut()  # packets flow again, so the server learns that the client's socket is closed
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                direct.execute("SET LOCAL lock_timeout = '500ms'")
                direct.execute("DROP TABLE desk_deadline")
                direct.commit()
                break
            except psycopg.errors.LockNotAvailable:
                direct.rollback()
        else:
            raise AssertionError("the lock is still held")
