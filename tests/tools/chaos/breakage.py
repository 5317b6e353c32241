"""Breaks processes, partners and the database during a run."""

import contextlib
import os
import random
import signal
from dataclasses import dataclass

import requests

from tests.harness.clusters import PostgresCluster
from tests.harness.desk import ProcessDesk
from tests.harness.proc import descendants

PATHS = [
    "/bigdata/productInfos",
    "/bigdata/productInfos/delete",
    "/bigdata/productInfos/query",
    "/bigdata/trialFlow/query",
    "/bpm/flows/start",
]
KINDS = ["500", "503", "429", "slow", "reset", "reset_after", "garbage", "refusal"]


@dataclass
class Breakage:
    """Breaks a random part. A killed process is started again, as by a service manager."""

    random: random.Random
    desk: ProcessDesk
    server: PostgresCluster | None

    def strike(self) -> str:
        """Breaks one random part. Returns a text about it."""
        acts = [self.fault, self.kill_child, self.kill_main, self.kill_worker, self.kill_web, self.kill_sandbox]
        weights = [12, 4, 1, 1, 1, 1]
        if self.server:
            acts, weights = [*acts, self.restart_database], [*weights, 1]
        return self.random.choices(acts, weights)[0]()

    def fault(self) -> str:
        kind = self.random.choices(KINDS, [4, 4, 1, 2, 4, 5, 2, 5])[0]
        path = self.random.choice(PATHS)
        count = self.random.randint(1, 1 if kind == "refusal" else 6)
        with contextlib.suppress(requests.RequestException):
            self.desk.fault(path=path, kind=kind, count=count, seconds=4, code=400, message="域名未备案")
        return f"fault {kind} x{count} at {path}"

    def kill_child(self) -> str:
        """Kills a worker, pusher, monitor or sentinel of the cluster."""
        victims = descendants(self.desk.processes["worker"].pid)[1:]
        if not victims:
            return "no child to kill"
        victim = self.random.choice(victims)
        _kill(victim)
        return f"killed a cluster process {victim}"

    def kill_main(self) -> str:
        victims = descendants(self.desk.processes["worker"].pid)[:1]
        for victim in victims:
            _kill(victim)
        return "killed the cluster's main process"

    def kill_worker(self) -> str:
        """Kills the watchdog. Its cluster must end by itself."""
        self.desk.kill("worker")
        self.desk.start_worker()
        return "killed the watchdog, started another worker"

    def kill_web(self) -> str:
        self.desk.kill("web")
        self.desk.start_web()
        return "killed the web process"

    def kill_sandbox(self) -> str:
        self.desk.kill("sandbox")
        self.desk.start_sandbox()
        return "killed the partners"

    def restart_database(self) -> str:
        self.server.restart()
        return "restarted the database"


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
