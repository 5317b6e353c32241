"""Runs pg_dump and pg_restore, in the server's version, on the database of the settings."""

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from django.db import connection

from project.database.run_program import CHUNK, BackupError, running

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
    with _dumping(snapshot, f"--file={file}"):
        pass


def dump_into(target: IO[bytes], *, snapshot: str) -> dict[str, int]:
    """Writes a dump into a stream. Returns {table: number of rows}. pg_restore reads these numbers from the same data.
    Raises BackupError."""
    with (
        ThreadPoolExecutor(1) as pool,
        _dumping(snapshot, stdout=subprocess.PIPE) as source,
        _reading(stdin=subprocess.PIPE) as reader,
    ):
        copying = pool.submit(_copy, source.stdout, target, reader.stdin)
        counts = _count(reader.stdout)
        copying.result()
    return counts


def restore_dump(dump: IO[bytes]) -> None:
    """Restores a dump into the database of the settings, in one transaction. Raises BackupError."""
    options = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    database = connection.get_connection_params()["dbname"]
    with _running_on_database("pg_restore", *options, f"--dbname={database}", stdin=dump):
        pass


def count_rows(file: Path) -> dict[str, int]:
    """Returns {table: number of rows} of a dump. Reads all of its data. Raises BackupError."""
    with _reading(str(file)) as reader:
        return _count(reader.stdout)


def _dumping(snapshot: str, *options: str, **streams: Any) -> AbstractContextManager[subprocess.Popen[bytes]]:
    given = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", *options]
    return _running_on_database("pg_dump", *given, **streams)


def _reading(*file: str, **streams: Any) -> AbstractContextManager[subprocess.Popen[bytes]]:
    return running(_program("pg_restore"), "--data-only", "--file=-", *file, stdout=subprocess.PIPE, **streams)


def _copy(source: IO[bytes], target: IO[bytes], reader: IO[bytes]) -> None:
    """Copies `source` to both streams. Closes `reader` even after an error. Otherwise its program would wait
    forever."""
    with reader:
        while part := source.read(CHUNK):
            target.write(part)
            reader.write(part)


def _count(lines: Iterable[bytes]) -> dict[str, int]:
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
    """Returns the path of a program in the server's major version. Raises BackupError if it is not installed.

    An older version refuses the server. The server may refuse the dump of a newer version.
    """
    major = server_major()
    for path in (DEBIAN.format(major=major, name=name), shutil.which(name)):
        if path and os.access(path, os.X_OK) and _major_of(path) == major:
            return path
    raise BackupError(
        f"{name} of PostgreSQL {major}, the server's version, is not installed (postgresql-client-{major})"
    )


def _major_of(path: str) -> int | None:
    output = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", output)
    return int(found[1]) if found else None


def _running_on_database(name: str, *options: str, **streams: Any) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Runs a program on the database. Secrets are passed in the environment, because all users can read a command
    line."""
    params = connection.get_connection_params()
    named = {
        VARIABLES[key]: str(value) for key, value in params.items() if key in VARIABLES and value not in (None, "")
    }
    return running(_program(name), "--no-password", *options, env=os.environ | named, **streams)
