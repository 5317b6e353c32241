"""Makes a cluster hang as a kill at a bad moment does."""

import datetime

from tests.processes.desk import ProcessDesk
from tests.processes.proc import Cluster, kill


def hang(desk: ProcessDesk, name: str = "worker", part: str = "workers") -> Cluster:
    """Kills a part of a worker's cluster so that it hangs, until the watchdog has replaced it; returns what it was.

    It hangs if the part was waiting at its queue, as nearly always. If not, it works on, and another is tried: in the
    old one, the parts can't be told apart by their age any more.
    """
    for _ in range(5):
        before = desk.replacements()
        cluster = desk.cluster(name)
        asked = _pings(desk, cluster)
        kill(*cluster.of(part))
        if desk.until(_Outcome(desk, cluster, before, asked), seconds=120) == "replaced":
            return cluster
        kill(cluster.main)
        desk.until(lambda: desk.replacements() > before)  # noqa: B023
        desk.worker_since = datetime.datetime.now(datetime.UTC)
    raise AssertionError(f"it never hung\n{desk.logs()}")


class _Outcome:
    """Calling it says whether the cluster was `replaced` or `works`: a ping of after the kill came and was noted.

    One from before the kill may have lost its note with the part, and tells nothing.
    """

    def __init__(self, desk: ProcessDesk, cluster: Cluster, before: int, asked: set[int]):
        self.desk, self.cluster, self.before, self.asked = desk, cluster, before, asked
        self.seen: set[int] = set()

    def __call__(self) -> str:
        now = _pings(self.desk, self.cluster) - self.asked
        self.seen |= now
        if self.desk.replacements() > self.before:
            return "replaced"
        return "works" if self.seen - now else ""


def _pings(desk: ProcessDesk, cluster: Cluster) -> set[int]:
    return {number for (number,) in desk.rows(f"SELECT id FROM django_q_ormq WHERE key = '{cluster.name}'")}
