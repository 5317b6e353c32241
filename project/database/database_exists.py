"""The check for an SQLite database that does not exist yet."""

from pathlib import Path

from django.db import connection


def database_exists() -> bool:
    """Returns False for an SQLite file that does not exist yet, because connecting would create an empty database. For
    PostgreSQL, always returns True."""
    name = str(connection.settings_dict["NAME"])
    return connection.vendor != "sqlite" or name.startswith((":memory:", "file:")) or Path(name).exists()
