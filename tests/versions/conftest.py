"""Where the databases of desks of real processes are: as in tests/processes."""

from tests.processes.conftest import postgres

__all__ = ["postgres"]
