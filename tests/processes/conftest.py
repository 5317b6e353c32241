"""The process tests' databases: SQLite, or the PostgreSQL of this run; and desks whose parts can be killed."""

import os

import pytest

from tests.harness.desk import ProcessDesk

# Short time-outs and leases, so that what a dead worker had in hand is soon due again.
SHORT = {"PARTNER_TIMEOUT_SECONDS": "3", "DISPATCH_LEASE_SECONDS": "10", "DISPATCH_RETRY_SECONDS": "1,1,1,1,1,1,1,1"}
# A worker's watchdog that soon replaces a hung cluster. On a busy machine a cluster takes six seconds to start.
QUICK = {"ping_every": 1, "patience": 15}


@pytest.fixture(scope="session")
def postgres() -> str:
    """The server's URL when this run is on PostgreSQL, else empty: then the desk uses SQLite."""
    return os.environ.get("DESK_TEST_DATABASE_URL", "")


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory, postgres):
    with ProcessDesk(tmp_path_factory.mktemp("desk"), postgres=postgres, **SHORT) as running:
        yield running


@pytest.fixture
def desk(shared_desk):
    """Web and sandbox run; the test starts its worker, which is stopped after it."""
    yield shared_desk
    for name in [name for name in shared_desk.processes if name.startswith("worker")]:
        shared_desk.stop(name)
    if "web" not in shared_desk.processes:
        shared_desk.start_web()
    outside = {shared_desk.processes[name].pid for name in ("sandbox", "web")}
    orphans = [row for row in shared_desk.alive() if row.pid not in outside and row.parent not in outside]
    assert not orphans, f"left behind: {orphans}\n{shared_desk.logs()}"
