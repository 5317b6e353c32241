"""The databases of desks of real processes, as in tests/processes."""

from tests.processes.conftest import postgres

__all__ = ["postgres"]
