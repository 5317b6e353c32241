"""Records management commands in the trail, with `--by` and the OS user, without secrets (contract 5, `audit`)."""

import argparse
import contextlib
import logging
import socket

from django.db import Error, connection
from django.utils import timezone

from integrations.base.database_deadline import CHECK_SECONDS, database_deadline
from orders.history.trail_writes import note_act
from orders.management.arguments import actor, os_user
from orders.models import TrailEntry
from orders.texts.secrets_in_text import command_words
from project.base.logs import safe
from project.trail.settings_trail import note_settings

NOTED = {
    *("accept", "activate", "attribute", "backup", "compensate", "decide", "emergency_account", "erase", "evidence"),
    *("export",),
    *("give_up", "import_trials", "move_end", "move_start", "name_domains", "own", "pause", "proceed", "prune"),
    *("reconcile", "resend", "restore"),
    *("restored", "resume", "take", "waive", "withdraw", "changepassword", "createsuperuser", "dbshell", "flush"),
    *("loaddata", "shell", "check_attachments", "fetch_usage", "axes_reset", "axes_reset_failure_logs"),
    *("axes_reset_ip", "axes_reset_ip_username", "axes_reset_logs", "axes_reset_username"),
}
"""Commands with `--by`, other commands that act on orders or unlock log-ins, and Django's commands that change data."""
NOTED_WITH = [("settings", "--adopt"), ("partners", "try")]
"""Commands that are recorded only with this argument."""
START = {"worker", "qcluster"}
INTO_NOTHING = {"restore"}  # before this command there is no table, so it is recorded after it has succeeded
READ_THE_CLOCK = {"deliver", "setup_schedules", "show", "stuck"}
"""Other commands that read the clock before their first query."""
logger = logging.getLogger(__name__)


def note_command(argv: list[str], *, done: bool) -> None:
    """Records a command before it runs. If the command creates the database, records it once it is `done`.

    If the row can't be written, the command still runs. Without a database the command fails anyway.
    """
    command, words = (argv[1:2] or [""])[0], argv[2:]
    acts = command in NOTED or any(command == name and word in words for name, word in NOTED_WITH)
    if (acts or command in READ_THE_CLOCK) and command not in INTO_NOTHING and not done:
        with contextlib.suppress(Error), database_deadline(CHECK_SECONDS):
            connection.ensure_connection()  # reads the database's time, which timezone.now() uses from then on
    if command in START and not done:
        note_settings()
    if not acts or done != (command in INTO_NOTHING) or {"--help", "-h"} & set(words):
        return
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--by")
    try:
        by = parser.parse_known_args(words)[0].by
    except (argparse.ArgumentError, SystemExit):  # `--by` without a name: the command itself reports it
        by = None
    address = f"{socket.gethostname()}:{os_user()}"
    text = safe(command_words(command, words))
    try:
        note_act(TrailEntry.Code.COMMAND, by=actor(by), now=timezone.now(), about=command, address=address, words=text)
    except Error as error:
        logger.warning("the command %s is not in the trail: %s", command, error)
