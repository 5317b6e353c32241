"""`manage.py`: every error is one line on stderr and an exit code (contract section 5)."""

import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.core.management.base import CommandParser
from django.db import OperationalError, ProgrammingError

NO_SUCH_TABLE_OR_COLUMN = {"42P01", "42703"}  # PostgreSQL's codes; SQLite calls both operational errors


def run(argv: list[str]) -> None:
    """Runs a command. A wrong argument, a wrong setting or a database that is away ends it in one line."""
    CommandParser.print_usage = _no_usage
    for place, word in enumerate(argv):
        if not _is_text(word):
            sys.exit(f"{argv[0]}: argument {place} is no UTF-8 text")
    try:
        execute_from_command_line(argv)
    except ImproperlyConfigured as error:  # a setting that is missing or wrong: its name says all, a traceback hides it
        sys.exit(f"{argv[0]}: {_one_line(error)}")
    except (OperationalError, ProgrammingError) as error:
        if isinstance(error, ProgrammingError) and _code(error) not in NO_SUCH_TABLE_OR_COLUMN:
            raise  # a fault of ours: its traceback helps
        sys.exit(f"{argv[0]}: the database does not answer, or lacks its migrations: {_one_line(error)}")


def _is_text(word: str) -> bool:
    """Bytes that are no UTF-8 come as halves of surrogate pairs: neither a database nor a terminal takes them."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_usage(self: CommandParser, file: object = None) -> None:
    """Nothing: argparse would put a screen of options above the one line that says what is wrong; --help has them."""


def _code(error: ProgrammingError) -> str:
    return getattr(error.__cause__, "sqlstate", "")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
