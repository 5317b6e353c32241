"""The log of results. results.md is for people, and has versions and the machine's size. history.jsonl is for programs.

A line of the history is `{"bench", "at", "commit", "ratios": {name: number}}`. The speed of the machine drifts, so only
ratios within one run can be compared later. A higher ratio is better.
"""

import json
import os
import pathlib
import platform
import subprocess
from importlib.metadata import version
from statistics import median

from django.db import connection
from django.utils import timezone

FILE = pathlib.Path(__file__).with_name("results.md")
HISTORY = FILE.with_name("history.jsonl")
PACKAGES = ("django", "djangorestframework", "django-q2", "gunicorn", "psycopg", "requests")


def append(title: str, lines: list[str], ratios: dict[str, float] | None = None) -> None:
    """Prints the results and appends them to the log, under a heading with time, conditions and commit. Adds `ratios`
    to the history."""
    text = "\n".join([f"\n## {title}, {timezone.localtime():%Y-%m-%d %H:%M}", "", _conditions(), "", *lines, ""])
    print(text)
    with FILE.open("a", encoding="utf-8") as file:
        file.write(text)
    if ratios:
        line = {"bench": title, "at": f"{timezone.localtime():%Y-%m-%d %H:%M}", "commit": _commit()}
        line["ratios"] = {name: round(value, 3) for name, value in ratios.items()}
        with HISTORY.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read_history() -> list[dict]:
    """Returns the rows of the history, the oldest first."""
    return [json.loads(line) for line in HISTORY.read_text(encoding="utf-8").splitlines()] if HISTORY.exists() else []


def spread(values: list[float], digits: int = 0) -> str:
    """Returns a text with the median and all runs: `430 [430 446 429]`."""
    return f"{median(values):.{digits}f} [{' '.join(f'{value:.{digits}f}' for value in values)}]"


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    """Returns ours / theirs for each round."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def _conditions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        database = cursor.fetchone()[0].split()[0]
    load = os.getloadavg()[0]
    return (
        f"Code {_commit()}; Python {platform.python_version()}, {packages}, PostgreSQL {database}; "
        f"{os.cpu_count()} cores, {_memory():.0f} GiB, load {load:.1f} at the end."
    )


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=FILE.parent, check=False
    )
    return asked.stdout.strip() or "unknown"


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
