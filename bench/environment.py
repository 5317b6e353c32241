"""The environment of every benchmark. Import this module before our other modules, because it sets up Django.

Django then uses a new database.
"""

import gc
import os
import uuid

import django

SERVER = os.environ.get("BENCH_SERVER", "postgres://root@127.0.0.1:5432")
NAME = os.environ.get("BENCH_DATABASE") or f"desk_bench_{uuid.uuid4().hex[:10]}"  # inherited by child processes

os.environ.update(
    DJANGO_SETTINGS_MODULE="project.settings",
    BENCH_DATABASE=NAME,
    DATABASE_URL=f"{SERVER}/{NAME}",
    DEBUG="false",
    SECRET_KEY="bench-only",
    LOG_LEVEL="WARNING",
    BBOSS_APP_SECRET="bench-app-secret",
    BBOSS_ACCESS_TOKENS="20991231235959" + "a" * 32 + "-1234-1700000000",
    BBOSS_RATE="",
    BBOSS_UNSIGNED_RATE="",
    BPM_CALLBACK_SECRET="bench-callback-secret",
    DEFAULT_CONTACT_MAIL="desk@example.com",
    EMAIL_URL="dummymail://",
    PYTHONUNBUFFERED="1",
)
django.setup()
gc.freeze()  # as the desk's processes do, because a full collection of the imports costs a fifth of a second
