"""CPU seconds of processes, from /proc: of a process group, or of the PostgreSQL of this machine."""

import contextlib
import os
import pathlib
from collections.abc import Callable

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of_group(group: int) -> float:
    """The CPU seconds that all live processes of a group have used so far."""
    return _seconds(lambda name, fields: int(fields[2]) == group)


def cpu_of_postgres() -> float:
    """The same for PostgreSQL's processes. 0 if it runs elsewhere."""
    return _seconds(lambda name, fields: name == "postgres")


def cpu_of_database(database: str) -> float:
    """The same for the connections of one database alone, as long as they last: others may be busy beside it."""
    return _seconds(lambda name, fields: name == "postgres", f" {database} 127.")


def _seconds(counts: Callable[[str, list[str]], bool], title: str = "") -> float:
    ticks = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # ended meanwhile
            head, _, rest = stat.read_text().rpartition(")")
            fields = rest.split()
            if counts(head.partition("(")[2], fields) and title in stat.with_name("cmdline").read_text():
                ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS
