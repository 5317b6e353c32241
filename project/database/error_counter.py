"""Counts database errors for /metrics."""

from django.db import Error, IntegrityError
from django.db.utils import DatabaseErrorWrapper

from integrations.base.counters import count_database_error
from integrations.base.database_deadline import is_away, time_left

CANCELLED = "57014"  # PostgreSQL's code for a statement that exceeded its time-out


class CountedErrors(DatabaseErrorWrapper):
    """Counts the driver's errors at the point where Django converts them. IntegrityError is not counted, because
    constraints normally decide between simultaneous writes."""

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
