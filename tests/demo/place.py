"""The demo's folder, settings and desk. Each is made for one run."""

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

from project.base.settings_table import SETTINGS
from tests.harness.children import ROOT
from tests.harness.desk import SECRETS, ProcessDesk

FILE = ROOT / ".demo" / "env"
USER, PASSWORD = "demo", secrets.token_urlsafe(12)
# All settings with their defaults. Neither a .env nor the caller's environment may change what the demo shows.
DEFAULTS = {setting.name: setting.default for setting in SETTINGS} | {
    "DJANGO_SETTINGS_MODULE": "project.settings",
    "EMAIL_URL": "consolemail://",  # mails are written into the worker's log
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
def demo_desk() -> Iterator[ProcessDesk]:
    """Runs a desk without its worker. This process gets the desk's settings too, because it signs messages as BBOSS
    does.
    """
    own = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "BBOSS_APP_SECRET": secrets.token_hex(16),
        "BBOSS_ACCESS_TOKENS": f"20991231235959{secrets.token_hex(16)}-1234-1700000000",
        "BPM_CALLBACK_SECRET": secrets.token_hex(32),
    }
    os.environ |= DEFAULTS | own  # set before the first command, which would otherwise warn about missing secrets
    with take_folder() as folder, contextlib.ExitStack() as running:
        desk = ProcessDesk(folder, **{name: DEFAULTS[name] for name in SECRETS} | own)
        # used for links in mails, and as the address to which the sandbox sends BPM's approvals
        desk.settings["SITE_URL"] = desk.web_url
        with stage("an empty database, the partners' sandbox and a web process"):
            running.enter_context(desk)
        os.environ |= desk.environment
        yield desk


@contextlib.contextmanager
def stage(what: str) -> Iterator[None]:
    """Prints what is done in the block, and how long it took."""
    print(what, end=" ... ", flush=True)
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:.0f} s")


@contextlib.contextmanager
def take_folder() -> Iterator[Path]:
    """Yields an empty folder for one run: the first of .demo/1, .demo/2, ... that no running demo uses."""
    (ROOT / ".demo").mkdir(exist_ok=True)
    for number in count(1):
        folder = ROOT / ".demo" / str(number)
        with open(f"{folder}.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            yield folder
            return


def write_file(desk: ProcessDesk) -> None:
    """Writes the settings that a shell needs to run manage.py on the desk of the newest demo."""
    FILE.unlink(missing_ok=True)
    with open(FILE, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as lines:
        lines.writelines(f"{name}={shlex.quote(desk.environment[name])}\n" for name in DEFAULTS)
