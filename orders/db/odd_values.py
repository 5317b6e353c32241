"""Values of a filter that only the database finds wrong."""

from django.core.exceptions import FieldError
from django.db import DataError

# NUL in a text (PostgreSQL), a number too large for a column (SQLite: OverflowError), a day after the last one.
NONSENSE = (DataError, OverflowError, FieldError)
