"""Fixtures of the process tests: the database server, and desks whose processes a test may kill.

The desks use SQLite, or the PostgreSQL of this run.
"""

import os

import pytest

from tests.harness.desk import ProcessDesk

# Short time-outs and leases, so that the steps of a dead worker are soon due again.
SHORT = {"PARTNER_TIMEOUT_SECONDS": "3", "DISPATCH_LEASE_SECONDS": "10", "DISPATCH_RETRY_SECONDS": "1,1,1,1,1,1,1,1"}
# A worker's watchdog that soon replaces a hung cluster. On a busy machine a cluster takes six seconds to start.
QUICK = {"ping_every": 1, "patience": 15}


@pytest.fixture(scope="session")
def postgres() -> str:
    """Returns the URL of the run's PostgreSQL server. Returns "" if the desks use SQLite."""
    return os.environ.get("DESK_TEST_DATABASE_URL", "")


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory, postgres):
    with ProcessDesk(tmp_path_factory.mktemp("desk"), postgres=postgres, **SHORT) as running:
        yield running


@pytest.fixture
def desk(shared_desk):
    """Yields a desk on which web and sandbox run. The test starts a worker, which is stopped after the test."""
    yield shared_desk
    for name in [name for name in shared_desk.processes if name.startswith("worker")]:
        shared_desk.stop(name)
    if "web" not in shared_desk.processes:
        shared_desk.start_web()
    outside = {shared_desk.processes[name].pid for name in ("sandbox", "web")}
    orphans = [row for row in shared_desk.alive() if row.pid not in outside and row.parent not in outside]
    assert not orphans, f"left behind: {orphans}\n{shared_desk.logs()}"
