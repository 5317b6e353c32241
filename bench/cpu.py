"""CPU time of a web server and of PostgreSQL, from /proc. Only on Linux, and only if PostgreSQL runs on this machine."""

import os
import pathlib
import subprocess

TICKS = os.sysconf("SC_CLK_TCK")


class CpuTimes:
    """`before = cpu.read(url)`, later `cpu.since(before, url, orders)`: milliseconds an order."""

    def read(self, url: str) -> dict[str, float]:
        """Milliseconds so far of the processes that serve this address, and of PostgreSQL's."""
        address = url.rpartition("/")[2]
        return {"web": _milliseconds(["pgrep", "-f", address]), "postgres": _milliseconds(["pgrep", "postgres"])}

    def since(self, before: dict[str, float], url: str, orders: int) -> dict[str, float]:
        """What each took since, for each of so many orders."""
        return {part: (value - before[part]) / orders for part, value in self.read(url).items()}


def _milliseconds(search: list[str]) -> float:
    found = subprocess.run(search, capture_output=True, text=True, check=False).stdout.split()
    return sum(map(_of_process, found))


def _of_process(pid: str) -> float:
    """User and system time. A process that has ended counts as none."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * 1000 / TICKS
