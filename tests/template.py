"""A migrated database without rows of its own, made once for each state of the migrations; every run copies it.

On SQLite it is a file in .pytest_cache, on PostgreSQL a database beside the runs'. Runs at the same time wait for the
one that makes it; nobody sees a half-made one, since it gets its name last.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".pytest_cache"
IMPORTED = re.compile(r"^\s*from ([\w.]+) import", re.MULTILINE)
LOCK = 0x6465736B  # PostgreSQL's advisory lock; any number that nobody else takes
KEPT = 4  # templates on a PostgreSQL, whose checkouts may differ


@contextlib.contextmanager
def fresh_database() -> Iterator[None]:
    """The connection leads to a copy of the template until the block ends."""
    name, copy = connection.settings_dict["NAME"], connection.settings_dict["TEST"]["NAME"]
    make_copy = copy_file if connection.vendor == "sqlite" else copy_database
    make_copy(copy)
    connection.close()
    settings.DATABASES[connection.alias]["NAME"] = connection.settings_dict["NAME"] = copy
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def state_of_migrations() -> str:
    """A hash of all that says what a migrated database holds: the migrations, what of ours they import, and Django."""
    folders = [Path(app.path, "migrations") for app in apps.get_app_configs()]
    migrations = sorted(file for folder in folders for file in folder.glob("*.py"))
    texts = {file: file.read_bytes() for file in migrations}
    for module in sorted({name for text in texts.values() for name in IMPORTED.findall(text.decode())}):
        file = ROOT.joinpath(*module.split(".")).with_suffix(".py")
        if file.exists():
            texts[file] = file.read_bytes()
    digest = hashlib.sha256(f"{django.__version__} {Path(__file__).read_text()}".encode())
    for file, text in texts.items():
        digest.update(f"\0{file.name}\0".encode() + text)
    return digest.hexdigest()[:16]


def migrate(name: str) -> None:
    """Makes a database with all migrations. The connection is closed then and leads where it led before."""
    entry = connection.settings_dict
    before, entry["TEST"] = (entry["NAME"], entry["TEST"]), entry["TEST"] | {"NAME": name}
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    connection.close()
    entry["NAME"], entry["TEST"] = before


def copy_file(copy: str) -> None:
    CACHE.mkdir(exist_ok=True)
    template = CACHE / f"template-{state_of_migrations()}.sqlite3"
    with (CACHE / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            for old in CACHE.glob("template-*"):
                old.unlink()
            migrate(f"{template}.unfinished")
            os.replace(f"{template}.unfinished", template)
        shutil.copyfile(template, copy)


def copy_database(copy: str) -> None:
    template = f"desk_template_{state_of_migrations()}"
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])  # until this connection ends
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, 'desk_template_') ORDER BY oid DESC")
        found = [name for (name,) in cursor.fetchall()]
        if template not in found:
            for old in found[KEPT - 1 :]:
                cursor.execute(f"DROP DATABASE {old} WITH (FORCE)")
            migrate(f"{template}_unfinished")
            cursor.execute(f"ALTER DATABASE {template}_unfinished RENAME TO {template}")
        cursor.execute(f"CREATE DATABASE {copy} TEMPLATE {template}")
