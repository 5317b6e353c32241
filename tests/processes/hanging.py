"""Makes a worker's cluster hang, as a kill at a bad moment does."""

import datetime

from tests.harness.desk import ProcessDesk
from tests.harness.proc import Cluster, kill


def hang(desk: ProcessDesk, name: str = "worker", part: str = "workers", *, within: float = 120) -> Cluster:
    """Kills a part of a worker's cluster so that the cluster hangs, and waits until the watchdog has replaced it.

    Returns the replaced cluster. `within` is the longest time for the replacement in seconds. The cluster hangs if the
    killed part was waiting at its queue, which is nearly always the case. If the cluster works on, this function kills
    the cluster and tries again with the next one. The old cluster can't be used again, because its parts can't be told
    apart by their age any more.
    """
    for _ in range(5):
        before = desk.replacements()
        cluster = desk.cluster(name)
        desk.until(lambda: not _pings(desk, cluster))  # noqa: B023  then all its parts wait at their queues
        kill(*cluster.of(part))
        if desk.until(_Outcome(desk, cluster, before, part), seconds=within) == "replaced":
            return cluster
        kill(cluster.main)
        desk.until(lambda: desk.replacements() > before)  # noqa: B023
        desk.worker_since = datetime.datetime.now(datetime.UTC)
    raise AssertionError(f"it never hung\n{desk.logs()}")


class _Outcome:
    """Finds out what became of a cluster. A call returns `replaced`, `works`, or "" if it is not known yet.

    A cluster works if it has given several signs of life, because at least one of them is an answer to a ping. A
    cluster without a monitor gives signs of life too. So after a kill of the monitor, no ping may be left in the queue
    either.
    """

    SIGNS = 3

    def __init__(self, desk: ProcessDesk, cluster: Cluster, before: int, part: str):
        self.desk, self.cluster, self.before, self.part = desk, cluster, before, part
        self.signs = {self._sign()}

    def __call__(self) -> str:
        self.signs.add(self._sign())
        waiting = self.part == "monitor" and _pings(self.desk, self.cluster)
        if self.desk.replacements() > self.before:
            return "replaced"
        return "works" if len(self.signs) > self.SIGNS and not waiting else ""

    def _sign(self) -> tuple:
        seen = f"SELECT seen_at FROM integrations_heartbeat WHERE cluster = '{self.cluster.name}'"
        return tuple(self.desk.rows(seen))


def _pings(desk: ProcessDesk, cluster: Cluster) -> list[tuple]:
    return desk.rows(f"SELECT id FROM django_q_ormq WHERE key = '{cluster.name}'")
