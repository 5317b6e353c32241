"""The project's settings with test values. Database: SQLite in a file (WAL needs one), or DESK_TEST_DATABASE_URL."""

import atexit
import logging.config
import os
import shutil
import tempfile

from django.conf import settings

from tests import databases

NAME = databases.own_name()
os.environ.update(
    SECRET_KEY="test-only",
    BBOSS_APP_SECRET="test-app-secret",
    BBOSS_ACCESS_TOKENS="20991231235959" + "a" * 32 + "-1234-1700000000,20991231235959" + "b" * 32 + "-5678-1700000000",
    BBOSS_RATE="",
    BBOSS_UNSIGNED_RATE="",
    BPM_CALLBACK_SECRET="test-callback-secret",
    BPM_BASE_URL="http://127.0.0.1:9/bpm",
    BIGDATA_BASE_URL="http://127.0.0.1:9/bigdata",
    DEFAULT_CONTACT_NAME="值班",
    DEFAULT_CONTACT_MAIL="desk@example.com",
    DEFAULT_CONTACT_TEL="13700000000",
    EMAIL_URL="memorymail://",
    EXPORT_MIN_FREE_MB="0",
    INTAKE_QUIET_MINUTES="0",  # tests post when they like
    PARTNER_ANSWERS="trust",  # else each test's first refusal would meet a call that is not proven
    CLOCK_SKEW_SECONDS="0",  # tests have clocks of their own
    STATE_DIR=tempfile.mkdtemp(prefix="desk-state-"),
)
for setting in ("SESSION_IDLE_MINUTES", "SESSION_MAX_HOURS"):
    os.environ.setdefault(setting, "0")  # tests move their clocks by days
atexit.register(shutil.rmtree, os.environ["STATE_DIR"], ignore_errors=True)
if os.environ.get("DESK_TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = os.environ["DESK_TEST_DATABASE_URL"]
else:
    os.environ["DATABASE_URL"] = f"sqlite:///{databases.folder() / NAME}.unused.sqlite3"

from project.settings import *  # noqa: E402, F403

LOGGING_CONFIG = "tests.settings.configure_logging"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASE = DATABASES["default"]  # noqa: F405
DATABASE["TEST"] = {"NAME": NAME}
if "sqlite" in DATABASE["ENGINE"]:
    DATABASE["TEST"]["NAME"] = str(databases.folder() / f"{NAME}.sqlite3")
    # Nothing in this process outlives a power cut. Real processes (tests/harness) keep production's FULL.
    DATABASE["OPTIONS"]["init_command"] = DATABASE["OPTIONS"]["init_command"].replace("=FULL", "=OFF")
# Static files are looked up when they are asked for. Otherwise each test's client would look at all of them first.
WHITENOISE_AUTOREFRESH = True


def configure_logging(config):
    """Sets logging up, once. A command that a test runs as from a terminal sets Django up again, and each handler would
    keep the standard error that the test captured."""
    logging.config.dictConfig(config)
    settings.LOGGING_CONFIG = None
