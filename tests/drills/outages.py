"""The ways in which a database goes away. Each is a context: the database is away within the block, and available
again after it."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg

from tests.drills.stage import Stage
from tests.harness.clusters import ROLE, PostgresCluster, follow, wait_for
from tests.harness.waiting import until


@dataclass(frozen=True)
class Outage:
    """One way in which a database goes away.

    `least` and `long` are the least seconds of the outage in the short and in the long form of the drills. `whole`:
    each call can only be answered 503. `stops`: processes are told to end during the outage. `told`: /readyz can
    notice the outage.
    """

    name: str
    play: Callable
    least: float
    long: float
    whole: bool = True
    stops: bool = False
    told: bool = True


OUTAGES: dict[str, Outage] = {}


def outage(name: str, *, least: float = 12, long: float = 35, **more: bool):
    """Returns a decorator that registers a generator function as an outage. The function gets a stage."""

    def keep(function):
        OUTAGES[name] = Outage(name, contextlib.contextmanager(function), least, long, **more)
        return function

    return keep


@outage("restart", least=0, long=0)
def restart(stage: Stage) -> Iterator[None]:
    """The server restarts as after a crash, and is away for a second or two."""
    stage.primary.stop("immediate")
    yield
    stage.primary.start()


@outage("stop", long=60)
def stop(stage: Stage) -> Iterator[None]:
    """The server is stopped, and started later."""
    stage.primary.stop()
    yield
    stage.primary.start()


@outage("read-only")
def read_only(stage: Stage) -> Iterator[None]:
    """The server accepts no more writes."""
    stage.primary.set("default_transaction_read_only", "on")
    yield
    stage.primary.set("default_transaction_read_only", None)


@outage("connections")
def connections(stage: Stage) -> Iterator[None]:
    """Other clients have all connections, and the desk's own connections were lost."""
    with Crowd(stage.primary):
        yield


@outage("full-disk", whole=False)
def full_disk(stage: Stage) -> Iterator[None]:
    """The primary's disk is full. PostgreSQL stops once it can't write its log. At the end, space is freed and the
    server is started."""
    with Ballast(stage.primary):
        yield
    if not stage.primary.pids():
        stage.primary.start()


@outage("frozen", stops=True)
def frozen(stage: Stage) -> Iterator[None]:
    """The primary gets SIGSTOP: the kernel acknowledges what is sent to the server, but the server does not answer."""
    stage.primary.freeze()
    try:
        yield
    finally:
        stage.primary.thaw()


@outage("frozen-network")
def frozen_network(stage: Stage) -> Iterator[None]:
    """A relay accepts packets and forwards none. Calls that are under way are lost."""
    stage.relay.freeze()
    try:
        yield
    finally:
        stage.relay.cut()


@outage("lost-standby", told=False)
def lost_standby(stage: Stage) -> Iterator[None]:
    """The synchronous standby dies. Queries still work, but no commit ends until the operator removes the standby's
    name from the settings."""
    stage.standby.kill()
    yield
    stage.primary.set("synchronous_standby_names", None)


@outage("old-primary")
def old_primary(stage: Stage) -> Iterator[None]:
    """The primary gets SIGKILL. The standby is promoted and serves the desk's calls. Then the old primary comes back
    beside the promoted one. The commits of the old primary wait for its standby, and the desk must connect again."""
    stage.primary.kill()
    yield
    stage.standby.promote()
    stage.primary, stage.standby = stage.standby, stage.primary
    ours = f"FROM pg_stat_activity WHERE usename = '{ROLE}' AND pid <> pg_backend_pid()"
    until(lambda: stage.primary.sql(f"SELECT 1 {ours}"), what="the desk uses the promoted one")
    stage.standby.start()
    stage.primary.sql(f"SELECT pg_terminate_backend(pid) {ours}")


@outage("killed-primary")
def killed_primary(stage: Stage) -> Iterator[None]:
    """The primary gets SIGKILL. The synchronous standby is promoted, and from then on the old primary follows it."""
    stage.primary.kill()
    yield
    stage.standby.promote()
    stage.primary, stage.standby = stage.standby, stage.primary


def rejoin(stage: Stage) -> None:
    """Makes a new standby after one of the two servers was lost."""
    stage.standby.kill()
    follow(stage.standby, stage.primary)
    stage.standby.start()
    wait_for(stage.primary, stage.standby)


class Crowd:
    """Uses every connection that the server allows, also the desk's, until the end of the block."""

    def __init__(self, server: PostgresCluster):
        self.server, self.taken, self.over = server, [], threading.Event()

    def __enter__(self) -> None:
        self.server.sql("CREATE ROLE guest LOGIN")
        self.thread = threading.Thread(target=self._take, daemon=True)
        self._take_all()
        self.thread.start()

    def __exit__(self, *exc) -> None:
        self.over.set()
        self.thread.join()
        for connection in self.taken:
            connection.close()
        self.server.sql("DROP ROLE guest")

    def _take(self) -> None:
        while not self.over.wait(0.5):
            self._take_all()

    def _take_all(self) -> None:
        """Ends the desk's connections until none comes back. A connection that is still being made is seen only by the
        second check."""
        quiet = 0
        for _ in range(20):
            ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'"
            gone = self.server.sql(ended)
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    self.taken.append(psycopg.connect(self.server.url_of("guest"), connect_timeout=5))
            quiet = 0 if gone else quiet + 1
            if quiet == 2:
                return
            self.over.wait(0.1)


class Ballast:
    """Fills the disk below a cluster, again and again, until the end of the block."""

    def __init__(self, server: PostgresCluster):
        self.server, self.over = server, threading.Event()
        self.file = server.disk / "ballast"

    def __enter__(self) -> None:
        self.thread = threading.Thread(target=self._fill_all, daemon=True)
        self._fill()
        self.thread.start()

    def __exit__(self, *exc) -> None:
        self.over.set()
        self.thread.join()
        self.file.unlink()

    def _fill_all(self) -> None:
        """Fills the space that the server frees. The server's log is switched again and again, so that the log also
        soon has no space."""
        while not self.over.wait(0.2):
            with contextlib.suppress(psycopg.Error):
                self.server.sql("SELECT pg_switch_wal()")
            self._fill()

    def _fill(self) -> None:
        with contextlib.suppress(OSError), open(self.file, "ab", buffering=0) as file:
            os.fchmod(file.fileno(), 0o666)
            while True:
                file.write(bytes(1 << 16))
