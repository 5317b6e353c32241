"""Makes a cluster hang as a kill at a bad moment does."""

import datetime

from tests.harness.desk import ProcessDesk
from tests.harness.proc import Cluster, kill


def hang(desk: ProcessDesk, name: str = "worker", part: str = "workers", *, within: float = 120) -> Cluster:
    """Kills a part of a worker's cluster so that it hangs, until the watchdog has replaced it, which takes so many
    seconds at the most; returns what it was.

    It hangs if the part was waiting at its queue, as nearly always. If not, it works on, and another is tried: in the
    old one, the parts can't be told apart by their age any more.
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
    """Calling it says whether the cluster was `replaced` or `works`: it gave signs of life. Without a monitor it gives
    them too: then no ping may wait to be noted either. Of several signs of life, at least one is a ping's.
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
