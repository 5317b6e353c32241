"""The database's errors, counted for /metrics."""

from django.db import Error, IntegrityError
from django.db.utils import DatabaseErrorWrapper

from integrations.base.counters import count_database_error
from integrations.base.database_deadline import is_away, time_left

CANCELLED = "57014"  # PostgreSQL's code where a statement took longer than it may


class CountedErrors(DatabaseErrorWrapper):
    """Counts the errors that Django makes of the driver's. A violated constraint is none: it decides which write was
    first."""

    def __exit__(self, exc_type, exc_value, traceback):
        if exc_type is None:
            return
        try:
            super().__exit__(exc_type, exc_value, traceback)
        except IntegrityError:
            raise
        except Error as error:
            cancelled = getattr(exc_value, "sqlstate", None) == CANCELLED
            late = time_left() <= 0 or getattr(exc_value, "is_deadline", False) or cancelled
            count_database_error("deadline" if late else "away" if is_away(error) else "other")
            raise
