"""CPU seconds of processes, read from /proc. The processes are a process group, or this machine's PostgreSQL."""

import contextlib
import os
import pathlib
from collections.abc import Callable

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of_group(group: int) -> float:
    """Returns the CPU seconds that all live processes of a group have used so far."""
    return _seconds(lambda name, fields: int(fields[2]) == group)


def cpu_of_postgres() -> float:
    """Returns the CPU seconds of PostgreSQL's live processes. If it runs on another machine, returns 0."""
    return _seconds(lambda name, fields: name == "postgres")


class DatabaseCpu:
    """The CPU seconds that the connections of one database have used since the object was created. Connections of other
    databases are not counted.

    For a closed connection, the value of the last `look` counts.
    """

    def __init__(self, database: str) -> None:
        self.title = f" {database} 127."
        self.before = self.last = self._ticks()

    def look(self) -> None:
        self.last = self.last | self._ticks()

    def seconds(self) -> float:
        self.look()
        return (sum(self.last.values()) - sum(self.before.values())) / TICKS

    def _ticks(self) -> dict[int, int]:
        return _ticks(lambda name, fields: name == "postgres", self.title)


def _seconds(counts: Callable[[str, list[str]], bool]) -> float:
    return sum(_ticks(counts).values()) / TICKS


def _ticks(counts: Callable[[str, list[str]], bool], title: str = "") -> dict[int, int]:
    """Returns the clock ticks of matching processes, by process id."""
    ticks = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # ended meanwhile
            head, _, rest = stat.read_text().rpartition(")")
            fields = rest.split()
            if counts(head.partition("(")[2], fields) and title in stat.with_name("cmdline").read_text():
                ticks[int(stat.parent.name)] = int(fields[11]) + int(fields[12])
    return ticks
