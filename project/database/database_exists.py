"""Tells whether the database exists."""

from pathlib import Path

from django.db import connection


def database_exists() -> bool:
    """False for a file of SQLite's that is not there yet: connecting would create an empty database."""
    name = str(connection.settings_dict["NAME"])
    return connection.vendor != "sqlite" or name.startswith((":memory:", "file:")) or Path(name).exists()
