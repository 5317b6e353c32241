"""The stage of a drill: database clusters, the servers in front of them, and a desk of processes under load."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from tests.drills.load import Load
from tests.harness.clusters import ROLE, PostgresCluster, Standby, can_mount, wait_for
from tests.harness.desk import ProcessDesk
from tests.harness.pooler import PgBouncer, role_settings
from tests.harness.relay import Relay
from tests.tools.chaos.run import SETTINGS

DISK = "192m"  # for the cluster, and so small that the disk is soon full


@dataclass
class Stage:
    """A desk and the parts of its database. Not every stage has a `pooler` or a `standby`."""

    desk: ProcessDesk
    load: Load
    primary: PostgresCluster
    relay: Relay | None = None
    standby: PostgresCluster | None = None
    pooler: PgBouncer | None = None

    def server_logs(self) -> str:
        found = [self.primary, self.standby, self.pooler]
        return "".join(one.log() for one in found if one)


@contextlib.contextmanager
def pair(seed: int) -> Iterator[Stage]:
    """A primary behind a relay, with a synchronous standby. The primary has a small disk if one can be mounted.

    Web and worker processes know both addresses.
    """
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(PostgresCluster(size=DISK if can_mount() else ""))
        primary.sql(f"CREATE ROLE {ROLE} LOGIN CREATEDB")
        standby = stack.enter_context(Standby(primary))
        wait_for(primary, standby)
        relay = stack.enter_context(contextlib.closing(Relay("127.0.0.1", primary.port)))
        desk = stack.enter_context(_desk(either(primary.port, standby.port), either(relay.port, standby.port)))
        yield Stage(desk, Load(desk, seed=seed), primary, relay=relay, standby=standby)


@contextlib.contextmanager
def behind_pooler(seed: int, *, prepared: int = 200) -> Iterator[Stage]:
    """A server behind PgBouncer. The two web and two worker processes know only the pooler."""
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(PostgresCluster())
        for statement in (f"CREATE ROLE {ROLE} LOGIN CREATEDB", *role_settings()):
            primary.sql(statement)
        pooler = stack.enter_context(PgBouncer(primary.port, prepared=prepared))
        through = pooler.url_of("postgres")
        desk = stack.enter_context(_desk(primary.url_of(ROLE), through, DATABASE_POOLER="true"))
        desk.start_web("web-2")
        desk.start_worker("worker-2")
        yield Stage(desk, Load(desk, seed=seed, webs=("web", "web-2")), primary, pooler=pooler)


@contextlib.contextmanager
def _desk(postgres: str, through: str, **settings: str) -> Iterator[ProcessDesk]:
    folder = tempfile.TemporaryDirectory(prefix="desk-drills-")
    with (
        folder as name,
        ProcessDesk(
            pathlib.Path(name), postgres=postgres, through=through, clock="+0", **(SETTINGS | settings)
        ) as desk,
    ):
        desk.start_worker()
        yield desk


def either(*ports: int) -> str:
    """Returns a database URL for these servers. It connects to the server that accepts writes."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgres://{ROLE}@{hosts}/postgres?target_session_attrs=read-write&connect_timeout=3"
