"""The project's settings with values for tests. The database is SQLite in a file (WAL needs one), or
DESK_TEST_DATABASE_URL.
"""

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
    INTAKE_QUIET_MINUTES="0",  # tests post orders at any time, so silence is no incident
    # otherwise the first refusal in each test would be the answer to a call that is not proven
    PARTNER_ANSWERS="trust",
    CLOCK_SKEW_SECONDS="0",  # tests move their clocks, so they differ from the database's
    STATE_DIR=tempfile.mkdtemp(prefix="desk-state-"),
)
for setting in ("SESSION_IDLE_MINUTES", "SESSION_MAX_HOURS"):
    os.environ.setdefault(setting, "0")  # tests move their clocks by days, which would end sessions
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
    # The data of a test need not survive a power cut. Real processes (tests/harness) keep FULL, as in production.
    DATABASE["OPTIONS"]["init_command"] = DATABASE["OPTIONS"]["init_command"].replace("=FULL", "=OFF")
# Static files are looked up when they are requested. Otherwise each test's client would look up all of them first.
WHITENOISE_AUTOREFRESH = True


def configure_logging(config):
    """Sets up logging, only once. A command that a test runs as from a terminal sets up Django again. Each new handler
    would then keep the standard error that the test captured.
    """
    logging.config.dictConfig(config)
    settings.LOGGING_CONFIG = None
