"""Provides the fixture `postgres` of tests/processes, the URL of the server for desks of real processes."""

from tests.processes.conftest import postgres

__all__ = ["postgres"]
