"""Reads /proc to find the processes of a desk and the parts of a cluster."""

import contextlib
import os
import pathlib
import signal
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """A process. `began` is its start time in clock ticks since the system's start."""

    pid: int
    parent: int
    state: str
    began: int


def processes_of(mark: str) -> list[Process]:
    """Returns all living processes with this text in their environment, in the order of their start. Includes
    orphans."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(_read(folder))
    return alive(found)


def alive(rows: Iterable[Process]) -> list[Process]:
    """Returns the living processes of `rows`, in the order of their start."""
    return sorted((row for row in rows if row.state not in "ZX"), key=lambda row: (row.began, row.pid))


def _read(folder: pathlib.Path) -> Process:
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return Process(pid=int(folder.name), parent=int(fields[1]), state=fields[0], began=int(fields[19]))


class Cluster:
    """The current cluster of the watchdog with this pid.

    django-q2 starts the workers first, then the monitor and the pusher. All of them are children of the sentinel.
    """

    def __init__(self, watchdog: int):
        rows = alive(_read(pathlib.Path(f"/proc/{pid}")) for pid in descendants(watchdog))
        (self.main,) = children(rows, watchdog)
        (self.sentinel,) = children(rows, self.main)
        *self.workers, self.monitor, self.pusher = children(rows, self.sentinel)
        self.name = variable(self.main, "DESK_CLUSTER")

    def of(self, part: str) -> list[int]:
        """Returns the pids of a part: `workers`, `monitor`, `pusher`, `sentinel`, `main` or `all`."""
        found = self.all() if part == "all" else getattr(self, part)
        return found if isinstance(found, list) else [found]

    def all(self) -> list[int]:
        return [self.main, self.sentinel, *self.workers, self.monitor, self.pusher]


def variable(pid: int, name: str) -> str:
    """Returns a variable from a process's environment."""
    pairs = pathlib.Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)[name]


def children(rows: list[Process], parent: int) -> list[int]:
    return [row.pid for row in rows if row.parent == parent]


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Returns the pids of all descendants of a process: its children, then their children, and so on."""
    found, level = [], [pid]
    while level:
        level = [child for parent in level for child in _children(parent)]
        found += level
    return found


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
        return [int(word) for task in tasks for word in (task / "children").read_text().split()]
    return []
