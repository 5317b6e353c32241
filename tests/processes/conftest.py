"""Where the process tests' databases are: SQLite, or the PostgreSQL of this run."""

import os

import pytest


@pytest.fixture
def postgres() -> str:
    """The server's URL when this run is on PostgreSQL, else empty: then the desk uses SQLite."""
    return os.environ.get("DESK_TEST_DATABASE_URL", "")
