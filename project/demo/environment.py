"""The demo's folder and its settings, all made for one run."""

import contextlib
import fcntl
import os
import secrets
import shlex
import shutil
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from project.environment import SANDBOX, SETTINGS

ROOT = Path(__file__).resolve().parent.parent.parent
USER = "demo"
# Every setting of the table. Neither a .env nor the caller's environment may change what the demo shows.
DEFAULTS = {setting.name: setting.default for setting in SETTINGS} | {
    "DJANGO_SETTINGS_MODULE": "project.settings",
    "EMAIL_URL": "consolemail://",  # into the worker's log
    "EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend",
    "DEFAULT_FROM_EMAIL": "ibs-order-desk@example.com",
    "DEFAULT_CONTACT_NAME": "demo-sa",
    "DEFAULT_CONTACT_MAIL": "sa@example.com",
    "DEFAULT_CONTACT_TEL": "13700000000",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
    "PYTHONUNBUFFERED": "1",
}


@contextlib.contextmanager
def take_folder() -> Iterator[Path]:
    """An empty folder for one run: the first of .demo/1, .demo/2, ... that no other running demo uses."""
    (ROOT / ".demo").mkdir(exist_ok=True)
    for number in count(1):
        folder = ROOT / ".demo" / str(number)
        with open(f"{folder}.lock", "w") as lock:
            if not _lock(lock):
                continue
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "attachments").mkdir(parents=True)
            yield folder
            return


def _lock(file) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def make_environment(folder: Path) -> dict[str, str]:
    """The environment of all processes, with new secrets. The partners' addresses are added once they are known."""
    return (
        dict(os.environ)
        | DEFAULTS
        | {
            "DATABASE_URL": f"sqlite:///{folder / 'desk.sqlite3'}",
            "ATTACHMENT_DIR": str(folder / "attachments"),
            "EXPORT_DIR": str(folder / "exports"),
            "STATE_DIR": str(folder / "state"),
            "SECRET_KEY": secrets.token_urlsafe(48),
            "BBOSS_APP_SECRET": secrets.token_hex(16),
            "BBOSS_ACCESS_TOKENS": f"20991231235959{secrets.token_hex(16)}-1234-{int(time.time())}",
            "BPM_CALLBACK_SECRET": secrets.token_hex(32),
            "DJANGO_SUPERUSER_USERNAME": USER,
            "DJANGO_SUPERUSER_EMAIL": "demo@example.com",
            "DJANGO_SUPERUSER_PASSWORD": secrets.token_urlsafe(12),
        }
    )


def partner_addresses(sandbox: str) -> dict[str, str]:
    """The settings with the sandbox's addresses."""
    return {name: sandbox + urlsplit(address).path for name, address in SANDBOX.items()}


def write_file(environment: dict[str, str]) -> Path:
    """Writes `.demo/env`. A shell needs it to run manage.py beside the demo that was started last."""
    file = ROOT / ".demo" / "env"
    file.unlink(missing_ok=True)
    with open(file, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as lines:
        for name in DEFAULTS:
            lines.write(f"{name}={shlex.quote(environment[name])}\n")
    return file
