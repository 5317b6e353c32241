"""Values that only the database rejects."""

from django.core.exceptions import FieldError
from django.db import DataError

# NUL in a text (PostgreSQL), a number too large for a column (SQLite: OverflowError), a day after the last one.
NONSENSE = (DataError, OverflowError, FieldError)
MOST_ID = 2**63 - 1


def is_id(text: str) -> bool:
    """Returns True if an address, a form or a filter names a row by a number that a row can have."""
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MOST_ID
