"""The names of the tests' own databases, and the folder of SQLite's files: in memory if there is room.

A run's databases share a beginning, so that tests/run.py finds what a killed one left. `DESK_TEST_RUN` names the run.
"""

import os
import shutil
import tempfile
from pathlib import Path

IN_MEMORY = Path("/dev/shm")
ROOM = 256 * 1024 * 1024  # bytes; a container often has 64 MiB there, which a run with large tables would fill


def folder() -> Path:
    """Returns the folder of the files."""
    if os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free >= ROOM:
        return IN_MEMORY
    return Path(tempfile.gettempdir())


def beginning(run: str) -> str:
    """Returns the beginning of all database names of a run. An identifier of PostgreSQL."""
    return f"desk_test_{run}_"


def own_name() -> str:
    """The name for this process: of the run, and of the worker if there are several."""
    run, worker = os.environ.get("DESK_TEST_RUN") or f"{os.getpid()}", os.environ.get("PYTEST_XDIST_WORKER")
    return beginning(run) + (worker or "alone")
