"""The names of the tests' own databases, and the folder of SQLite's files, which is in memory if there is room.

The names of a run's databases begin alike, so that tests/run.py finds what a killed run left. `DESK_TEST_RUN` names
the run.
"""

import os
import shutil
import tempfile
from pathlib import Path

IN_MEMORY = Path("/dev/shm")
ROOM = 256 * 1024 * 1024  # in bytes; a container often has 64 MiB there, which a run with large tables would fill


def folder() -> Path:
    """Returns the folder of SQLite's database files."""
    if os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free >= ROOM:
        return IN_MEMORY
    return Path(tempfile.gettempdir())


def beginning(run: str) -> str:
    """Returns the beginning of all database names of a run. The names are valid identifiers of PostgreSQL."""
    return f"desk_test_{run}_"


def own_name() -> str:
    """Returns the database name for this process, made from the run and, if there are several, the worker."""
    run, worker = os.environ.get("DESK_TEST_RUN") or f"{os.getpid()}", os.environ.get("PYTEST_XDIST_WORKER")
    return beginning(run) + (worker or "alone")
