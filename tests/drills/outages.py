"""Ways in which a database goes away, each a context: within it the database is away, after it it is there again."""

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
    """`least`: seconds that it lasts in the short form, and `long` in the long one, at least.

    `whole`: no call can be answered but by 503. `stops`: processes are told to end while it lasts. `told`: /readyz can
    notice it.
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
    """Registers a context manager that takes a stage."""

    def keep(function):
        OUTAGES[name] = Outage(name, contextlib.contextmanager(function), least, long, **more)
        return function

    return keep


@outage("restart", least=0, long=0)
def restart(stage: Stage) -> Iterator[None]:
    """The server restarts as after a crash; it is away for a second or two."""
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
    """The server takes no writes any more."""
    stage.primary.set("default_transaction_read_only", "on")
    yield
    stage.primary.set("default_transaction_read_only", None)


@outage("connections")
def connections(stage: Stage) -> Iterator[None]:
    """Others have all connections; the desk's own were lost."""
    with Crowd(stage.primary):
        yield


@outage("full-disk", whole=False)
def full_disk(stage: Stage) -> Iterator[None]:
    """The primary's disk is full. PostgreSQL goes down once it can't write its log; room is made and it is started."""
    with Ballast(stage.primary):
        yield
    if not stage.primary.pids():
        stage.primary.start()


@outage("frozen", stops=True)
def frozen(stage: Stage) -> Iterator[None]:
    """SIGSTOP to the primary: the kernel acknowledges what is sent to it, nobody answers."""
    stage.primary.freeze()
    try:
        yield
    finally:
        stage.primary.thaw()


@outage("frozen-network")
def frozen_network(stage: Stage) -> Iterator[None]:
    """A relay takes packets and passes none on. Calls under way at that time are lost."""
    stage.relay.freeze()
    try:
        yield
    finally:
        stage.relay.cut()


@outage("lost-standby", told=False)
def lost_standby(stage: Stage) -> Iterator[None]:
    """The synchronous standby dies. Queries go on, no commit does, until the operator takes its name back."""
    stage.standby.kill()
    yield
    stage.primary.set("synchronous_standby_names", None)


@outage("old-primary")
def old_primary(stage: Stage) -> Iterator[None]:
    """SIGKILL to the primary; the standby is promoted and takes the desk's calls. Then the old one comes back beside
    it, as a primary whose commits wait for its standby, and the desk must connect anew."""
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
    """SIGKILL to the primary; the synchronous standby is promoted, and the old primary follows it from then on."""
    stage.primary.kill()
    yield
    stage.standby.promote()
    stage.primary, stage.standby = stage.standby, stage.primary


def rejoin(stage: Stage) -> None:
    """Makes a new standby, after one of the two servers was lost."""
    stage.standby.kill()
    follow(stage.standby, stage.primary)
    stage.standby.start()
    wait_for(stage.primary, stage.standby)


class Crowd:
    """Takes every connection that the server gives, the desk's too, until the end of the block."""

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
        """The desk's are ended until none comes back. One that is still connecting is seen at the second look."""
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
        """Space that the server frees is filled again. Its log continues, so that it soon has no space either."""
        while not self.over.wait(0.2):
            with contextlib.suppress(psycopg.Error):
                self.server.sql("SELECT pg_switch_wal()")
            self._fill()

    def _fill(self) -> None:
        with contextlib.suppress(OSError), open(self.file, "ab", buffering=0) as file:
            os.fchmod(file.fileno(), 0o666)
            while True:
                file.write(bytes(1 << 16))
