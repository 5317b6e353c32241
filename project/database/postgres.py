"""Runs PostgreSQL's own programs for backup and restore, in the server's version and on the settings' database."""

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from django.db import connection

from integrations.database_deadline import error_line
from project.database.errors import BackupError

MAX_SAID = 500  # characters of a program's output
DEBIAN = "/usr/lib/postgresql/{major}/bin/{name}"
VARIABLES = {
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "service": "PGSERVICE",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
}
COPY = re.compile(rb'^COPY (?:\w+|"[^"]+")\.("?)([^ "]+)\1 ')


def dump(file: Path, *, snapshot: str) -> None:
    """Writes a dump in the custom format, from an exported snapshot. Raises BackupError."""
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={file}"]
    _run("pg_dump", *options)


def put_back(file: Path) -> None:
    """Puts a dump into the settings' database, completely or not at all. Raises BackupError."""
    options = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    database = connection.get_connection_params()["dbname"]
    _run("pg_restore", *options, f"--dbname={database}", str(file))


def count_rows(file: Path) -> dict[str, int]:
    """`{table: rows}` of a dump. Reads all of its data. Raises BackupError."""
    command = [_program("pg_restore"), "--data-only", "--file=-", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    counts = _count(process.stdout)
    error = process.stderr.read().decode(errors="replace")
    if process.wait():
        raise BackupError(f"the dump can't be read: {error_line(error)[:MAX_SAID]}")
    return counts


def _count(lines: Iterator[bytes]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    table = ""
    for line in lines:
        if table and line == b"\\.\n":
            table = ""
        elif table:
            counts[table] += 1
        elif begin := COPY.match(line):
            table = begin[2].decode()
            counts[table] = 0
    return dict(counts)


def server_major() -> int:
    connection.ensure_connection()
    return connection.pg_version // 10_000


def _program(name: str) -> str:
    """The path of a program in the server's version: an older one refuses it, the dump of a newer may not go back."""
    major = server_major()
    for path in (DEBIAN.format(major=major, name=name), shutil.which(name)):
        if path and os.access(path, os.X_OK) and _major_of(path) == major:
            return path
    raise BackupError(
        f"{name} of PostgreSQL {major}, the server's version, is not installed (postgresql-client-{major})"
    )


def _major_of(path: str) -> int | None:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else None


def _run(name: str, *options: str) -> None:
    """Runs a program. Secrets go into the environment, since everybody on the machine can read a command line."""
    params = connection.get_connection_params()
    named = {
        VARIABLES[key]: str(value) for key, value in params.items() if key in VARIABLES and value not in (None, "")
    }
    ended = subprocess.run(
        [_program(name), "--no-password", *options], env=os.environ | named, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise BackupError(f"{name}: {error_line(ended.stderr)[:MAX_SAID]}")
