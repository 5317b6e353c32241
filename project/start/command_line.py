"""Runs `manage.py`. An error is one line on stderr and an exit code (contract section 5)."""

import gc
import sys

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import ManagementUtility
from django.core.management.base import CommandParser
from django.db import Error, OperationalError
from django.utils.module_loading import import_string

from integrations.base.database_deadline import (
    COMMAND_SECONDS,
    NEVER,
    WORKER_SECONDS,
    error_line,
    is_away,
    limit_statements,
)
from project import production
from project.management.commands import version

# Commands that install, show or restore run even if production lacks a setting. The sandbox has a check of its own.
STILL_RUN = {"migrate", "check", "settings", "collectstatic", "restore", "restored", "sandbox", "help", "version"}
MAKE_AN_EMERGENCY_ACCOUNT = {"emergency_account", "createsuperuser", "changepassword"}
# Time-outs of statements. Copying or migrating a large database takes hours.
LIMITS = {
    "worker": WORKER_SECONDS,
    "qcluster": WORKER_SECONDS,
    "deliver": WORKER_SECONDS,
    "migrate": NEVER,
    "backup": NEVER,
    "restore": NEVER,
}
NO_SUCH_TABLE_OR_COLUMN = {"42P01", "42703"}  # PostgreSQL's codes; for SQLite both are operational errors

NOTE = "project.trail.command_trail.note_command"  # imported later: it needs the models


class DeskUtility(ManagementUtility):
    def fetch_command(self, subcommand):
        """Returns the command, after recording it in the trail. Django calls this method just before the command runs.
        By then settings and models are loaded."""
        command = super().fetch_command(subcommand)
        gc.freeze()
        gc.enable()
        _note_command(self.argv, done=False)
        return command


def run(argv: list[str]) -> None:
    """Runs a command. If an argument or a setting is wrong or the database is unavailable, ends with a one-line
    error."""
    CommandParser.print_usage = _no_usage
    for place, word in enumerate(argv):
        if not _is_text(word):
            sys.exit(f"{argv[0]}: argument {place} is no UTF-8 text")
    if argv[1:2] in (["version"], ["--version"]):  # Django would print its own version
        return version.Command().run_from_argv([argv[0], "version", *argv[2:]])
    command = next((word for word in argv[1:] if not word.startswith("-")), "help")
    limit_statements(LIMITS.get(command, COMMAND_SECONDS))
    gc.disable()  # off until all is loaded, because collecting these lasting objects takes two fifths of the start
    try:
        _stop_where_production_lacks(command, argv)
        DeskUtility(argv).execute()
        _note_command(argv, done=True)
    except ImproperlyConfigured as error:  # a missing or wrong setting: the traceback would not help
        sys.exit(_line_each(argv, str(error).splitlines()))
    except Error as error:
        code = getattr(error.__cause__, "sqlstate", "")
        lacks = code in NO_SUCH_TABLE_OR_COLUMN or isinstance(error, OperationalError)
        if not lacks and not is_away(error):
            raise  # an error of ours, so the traceback helps
        sys.exit(f"{argv[0]}: the database does not answer, or lacks its migrations: {error_line(error)}")
    finally:
        gc.enable()


def _stop_where_production_lacks(command: str, argv: list[str]) -> None:
    """Prints a line for each missing setting, then ends the process. Some commands may run nevertheless."""
    if command not in STILL_RUN and not {"--help", "-h", "--version"} & set(argv):
        if lacking := production.missing_settings():
            sys.exit(_line_each(argv, lacking))
    elif command in {"migrate", "restore", "restored"}:  # these commands run all checks; only `check` reports this one
        settings.SILENCED_SYSTEM_CHECKS = [*settings.SILENCED_SYSTEM_CHECKS, production.CHECK]
    if command != "check":  # the web process logs it as well
        settings.SILENCED_SYSTEM_CHECKS = [*settings.SILENCED_SYSTEM_CHECKS, production.ONE_ADMINISTRATOR]
    if command in {"migrate", "restore", "restored", *MAKE_AN_EMERGENCY_ACCOUNT}:
        settings.SILENCED_SYSTEM_CHECKS = [*settings.SILENCED_SYSTEM_CHECKS, production.NO_EMERGENCY]


def _note_command(argv: list[str], *, done: bool) -> None:
    """Records the command in the trail. If the apps are not loaded, records nothing: `help` runs without settings."""
    if apps.ready:
        import_string(NOTE)(argv, done=done)


def _is_text(word: str) -> bool:
    """Returns True if an argument is valid UTF-8. Other bytes arrive as unpaired surrogates, and these can be neither
    stored nor printed."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_usage(self: CommandParser, file: object = None) -> None:
    """Prints nothing. argparse would print all options above the error, although --help shows them."""


def _line_each(argv: list[str], texts: list[str]) -> str:
    return "\n".join(f"{argv[0]}: {text}" for text in texts)
