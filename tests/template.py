"""Makes a migrated database without further rows, once for each state of the migrations. Tests and desks copy it.

On SQLite it is a file in .pytest_cache, on PostgreSQL a database of the server. Processes that want a copy meanwhile
wait for the process that makes it. A half-made template is never copied, because it gets its name last. Drills and
other tests with short-lived servers of their own read what pg_dump wrote of a migrated database, because migrating
takes several times as long.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".pytest_cache"
IMPORTED = re.compile(r"^\s*from ([\w.]+) import", re.MULTILINE)
LOCK = 0x6465736B  # the number of a PostgreSQL advisory lock that no other code uses
KEPT = 4  # the number of templates that are kept, because checkouts may differ in their migrations


@contextlib.contextmanager
def fresh_database() -> Iterator[None]:
    """Connects Django to a copy of the template inside the block."""
    name, copy = connection.settings_dict["NAME"], connection.settings_dict["TEST"]["NAME"]
    if connection.vendor == "sqlite":
        copy_file(copy)
    else:
        copy_database(os.environ["DESK_TEST_DATABASE_URL"], copy)
    connection.close()  # it may have been used already, and would still be connected to another database
    settings.DATABASES[connection.alias]["NAME"] = connection.settings_dict["NAME"] = copy
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def state_of_migrations(root: Path) -> str:
    """Returns a hash of everything that defines a migrated database: the migrations, our modules that they import, and
    the libraries.
    """
    texts = {file: file.read_bytes() for file in sorted(root.glob("*/migrations/*.py"))}
    for module in sorted({name for text in texts.values() for name in IMPORTED.findall(text.decode())}):
        file = root.joinpath(*module.split(".")).with_suffix(".py")
        if file.exists():
            texts[file] = file.read_bytes()
    digest = hashlib.sha256(Path(__file__).read_bytes() + (root / "requirements.txt").read_bytes())
    for file, text in texts.items():
        digest.update(f"\0{file.name}\0".encode() + text)
    return digest.hexdigest()[:16]


def migrate(url: str, root: Path) -> None:
    """Runs all migrations of a checkout on a database."""
    environment = os.environ | {"DATABASE_URL": url, "DEBUG": "true", "DJANGO_SETTINGS_MODULE": "project.settings"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=root, env=environment, check=True)


def copy_file(copy: str | Path, root: Path = ROOT) -> None:
    """Makes an SQLite file that the code of the checkout has migrated."""
    CACHE.mkdir(exist_ok=True)
    template = CACHE / f"template-{state_of_migrations(root)}.sqlite3"
    with (CACHE / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            found = sorted(CACHE.glob("template-*"), key=lambda file: file.stat().st_mtime)
            for old in found[: 1 - KEPT]:
                old.unlink()
            migrate(f"sqlite:///{template}.unfinished", root)
            os.replace(f"{template}.unfinished", template)
        shutil.copyfile(template, copy)


def copy_database(server: str, copy: str, root: Path = ROOT) -> None:
    """Makes a database on PostgreSQL that the code of the checkout has migrated. `server` is the URL of any database
    of the server.
    """
    template = f"desk_template_{state_of_migrations(root)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])  # held until this connection ends
        named = "SELECT datname FROM pg_database WHERE starts_with(datname, 'desk_template_') ORDER BY oid DESC"
        found = [name for (name,) in connection.execute(named).fetchall()]
        if template not in found:
            for old in found[KEPT - 1 :]:
                connection.execute(f"DROP DATABASE {old} WITH (FORCE)")
            connection.execute(f"DROP DATABASE IF EXISTS {template}_unfinished WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {template}_unfinished")
            unfinished = urlsplit(server)._replace(path=f"/{template}_unfinished").geturl()
            _migrate_and_dump(unfinished, root, _dump(connection, root))
            connection.execute(f"ALTER DATABASE {template}_unfinished RENAME TO {template}")
        connection.execute(f"CREATE DATABASE {copy} TEMPLATE {template}")


def fill_database(url: str, root: Path = ROOT) -> None:
    """Fills an empty database on PostgreSQL with a dump of a migrated one, if there is a dump. Otherwise it migrates
    the database, for the role that the URL names, and makes the dump.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        dump = _dump(connection, root)
        if dump.exists():
            connection.execute(dump.read_bytes())
            return
    _migrate_and_dump(url, root, dump)


def _dump(connection: psycopg.Connection, root: Path) -> Path:
    return CACHE / f"dump-{state_of_migrations(root)}-{connection.info.server_version // 10000}.sql"


def _migrate_and_dump(url: str, root: Path, dump: Path) -> None:
    migrate(url, root)
    words = ["--no-owner", "--no-privileges", "--no-comments", "--rows-per-insert=1000"]
    # without pg_dump there is no dump, and each server is migrated
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        made = subprocess.run(["pg_dump", *words, url], check=True, capture_output=True).stdout
        part = dump.with_name(f"{dump.name}.{os.getpid()}")
        part.parent.mkdir(exist_ok=True)
        # without the commands of psql
        part.write_bytes(b"".join(line for line in made.splitlines(True) if not line.startswith(b"\\")))
        os.replace(part, dump)
        for old in sorted(CACHE.glob("dump-*.sql"), key=lambda file: file.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
