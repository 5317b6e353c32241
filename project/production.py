"""Checks the settings that production (BBOSS_ENV_FLAG=1) requires. A deployment without them does not start. Uses no
models.

`python -m project.production [reload] [--print-file]` prints a line for each missing setting and exits with 1.
gunicorn.conf.py runs this command. With `reload`, it also runs all checks of a new process, before that process
replaces a working one. With `--print-file`, it prints the values of `.env` as JSON, including secrets, and the text of
the partner profile.
"""

import gc
import json
import os
import sys
from collections.abc import Iterator

import django
from django.conf import settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from integrations.base.database_deadline import WORKER_SECONDS, limit_statements
from project.base.settings_table import SANDBOX
from project.database.database_exists import database_exists

CHECK = "desk.010"
NO_EMERGENCY = "desk.019"  # PASSWORD_LOGIN=emergency without an account that can log in
ONE_ADMINISTRATOR = "desk.024"
NEEDED = {
    "BPM_CALLBACK_SECRET": "it signs BPM's approvals",
    "SITE_URL": "links in mails lead there",
    "DEFAULT_CONTACT_MAIL": "it gets what no attribution's SA gets",
}


def missing_settings() -> list[str]:
    if settings.BBOSS_ENV_FLAG != "1":
        return []
    return [
        *(f"{name} is the sandbox's address" for name in SANDBOX if getattr(settings, name) == SANDBOX[name]),
        *(f"{name} is empty: {use}" for name, use in NEEDED.items() if not getattr(settings, name)),
        *(["EMAIL_URL is not set: no mail would leave this machine"] if not _sends_mail() else []),
    ]


def _sends_mail() -> bool:
    return any(settings.ENVIRONMENT.given(name) is not None for name in ("EMAIL_URL", "EMAIL_BACKEND"))


def why_not_now() -> Iterator[str]:
    """Yields the errors of these settings, apart from missing ones: malformed lines of the file, failed checks, and an
    unavailable database."""
    yield from settings.ENVIRONMENT.wrong_lines()
    limit_statements(WORKER_SECONDS)  # gunicorn's master waits for this process, and must not wait long
    django.setup()
    for message in run_checks():
        if message.is_serious() and not message.is_silenced():
            yield str(message)
    try:
        if not database_exists():
            yield f"DATABASE_URL: {connection.settings_dict['NAME']} does not exist yet"
            return
        connection.ensure_connection()
    except DatabaseError as error:
        yield f"DATABASE_URL: the database does not answer: {' '.join(str(error).split())}"


def main(words: list[str]) -> int:
    gc.disable()  # as in project/start/command_line.py; this process ends at once
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        lines = missing_settings() or ([*why_not_now()] if "reload" in words else [])
    except ImproperlyConfigured as error:  # settings that can't be read
        lines = str(error).splitlines()
    for line in lines:
        print(f"the web process can't start: {line}", file=sys.stderr)
    if not lines and "--print-file" in words:
        json.dump(settings.ENVIRONMENT.file | settings.ENVIRONMENT.profile_for_children(), sys.stdout)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
