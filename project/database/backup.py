"""Creates a verified backup of the database, of ATTACHMENT_DIR and of PARTNERS_FILE (contract section 5, `backup`)."""

import contextlib
import datetime
import os
import shutil
import socket
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import django
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from orders.db.applied_migrations import applied_migrations
from orders.history.order_locks_and_events import add_event
from orders.models import OrderEvent
from orders.pauses.release_restored import present_timeline
from project.database import backup_manifest, encryption, postgres_programs
from project.database.run_program import CHUNK, BackupError

SQLITE, POSTGRES = "database.sqlite3", "database.dump"
ATTACHMENTS = "attachments"
ARCHIVE = f"{ATTACHMENTS}.tar{encryption.SUFFIX}"  # one archive, since file names contain order numbers
PROFILE = "partners.toml"
RESTORED = "backup_put_back"  # the kind of the event that a restore writes
NEWEST = 'SELECT MAX(id) FROM "orders_orderevent"'


def backup(
    folder: Path, *, by: str, now: datetime.datetime, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> dict:
    """Creates a backup in a new or empty folder. Works while the desk runs. Returns the manifest. Raises BackupError.

    Only the owner of the folder can read it, because it contains personal data. With BACKUP_RECIPIENT all files except
    the manifest are encrypted.
    """
    _check(folder)
    recipient = settings.BACKUP_RECIPIENT
    if recipient and (why := encryption.why_not_encryptable()):
        raise BackupError(f"BACKUP_RECIPIENT: {why}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    row = present_timeline()
    if row is None:
        raise BackupError("the database has no name: run migrate first")
    # Copy the database before the files, because a file is stored before the order that refers to the file.
    copied = _copy_sqlite(folder) if connection.vendor == "sqlite" else _copy_postgres(folder)
    if recipient:
        number = _encrypt_attachments(folder, on_progress)
        files = {name: backup_manifest.size_and_hash(folder / name) for name in (copied["file"], ARCHIVE)}
    else:
        files = {name: backup_manifest.copy_file(file, folder / name) for name, file in _attachments(on_progress)}
        number = len(files)
        files[copied["file"]] = backup_manifest.size_and_hash(folder / copied["file"])
    facts = {
        "made_at": timezone.localtime(now).isoformat(timespec="seconds"),
        "machine": socket.gethostname(),
        "database": row.name,
        "counted_as_restored": row.restored_at is not None,
        "django": django.get_version(),
        "migrations": dict(sorted(applied_migrations(connection))),  # the newest of each app
        **copied,
        "attachments": number,
        "files": files | _copy_profile(folder),
        **({"recipient": recipient} if recipient else {}),
    }
    backup_manifest.write(folder, facts)
    add_event(None, "backed_up", by=by, now=now, **backup_facts(folder, facts))
    return facts


def backup_facts(folder: Path, facts: dict) -> dict:
    named = {name: facts[name] for name in ("made_at", "machine", "newest_event")}
    return named | {"folder": str(folder.absolute()), "bytes": sum(row["bytes"] for row in facts["files"].values())}


def profile_of(facts: dict) -> str:
    """Returns the file name of the partner profile in a backup. If there is no profile, returns an empty text."""
    return next((name for name in (PROFILE, PROFILE + encryption.SUFFIX) if name in facts["files"]), "")


def last_backup() -> dict | None:
    """Returns the facts of the last backup, or None. The facts are in the database, so that all machines can read them.

    After a restore, the last backup is the restored backup. A backup does not contain its own event, because the event
    is written after the copy.
    """
    rows = OrderEvent.objects.filter(order=None, kind__in=["backed_up", RESTORED])
    row = rows.order_by("-pk").first()
    return row and {name: row.data[name] for name in ("made_at", "machine", "newest_event", "folder", "bytes")}


def _check(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BackupError(f"{folder} is no folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty: a backup needs a folder of its own")
    if folder.resolve().is_relative_to(settings.ATTACHMENT_DIR.resolve()):
        raise BackupError(f"{folder} lies in ATTACHMENT_DIR, which would be copied into itself")


def _copy_sqlite(folder: Path) -> dict:
    """Copies the database with SQLite's backup API, which works while the database is in use, and checks the copy.

    Returns the manifest's entries. Raises BackupError if the copy is damaged.
    """
    connection.ensure_connection()
    if settings.BACKUP_RECIPIENT:
        name = SQLITE + encryption.SUFFIX
        with unnamed_sqlite(folder) as (file, copy, reader):
            connection.connection.backup(copy)
            file.seek(18)
            file.write(b"\1\1")  # sets both format versions from 2 (WAL) to 1: a single file, without -wal and -shm
            file.flush()
            facts = _read_sqlite(reader)
            file.seek(0)
            with encryption.encrypted(folder / name) as target:
                shutil.copyfileobj(file, target, CHUNK)
        return {"file": name, **facts}
    with contextlib.closing(sqlite3.connect(folder / SQLITE)) as copy:
        connection.connection.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # a single file, without -wal and -shm
        facts = _read_sqlite(copy)
    _sync(folder / SQLITE)
    return {"file": SQLITE, **facts}


@contextlib.contextmanager
def unnamed_sqlite(folder: Path) -> Iterator[tuple[IO[bytes], sqlite3.Connection, sqlite3.Connection]]:
    """Yields an unlinked SQLite file, so that no plain copy stays on the disk. The file disappears with this process,
    even if the process is killed.

    Yields (file, connection to write it, connection to read it afterwards).
    """
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        connections = [sqlite3.connect(file.name) for _ in range(2)]
        os.unlink(file.name)
        with contextlib.closing(connections[0]) as copy, contextlib.closing(connections[1]) as reader:
            copy.execute("PRAGMA journal_mode = OFF")  # a journal would have a name
            yield file, copy, reader


def _read_sqlite(copy: sqlite3.Connection) -> dict:
    result = [row[0] for row in copy.execute("PRAGMA integrity_check")]
    if result != ["ok"]:
        raise BackupError(f"the copy is damaged: {'; '.join(result)[:300]}")
    tables = [row[0] for row in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    ours = [name for name in tables if not name.startswith("sqlite_")]
    return {
        "vendor": "sqlite",
        "server": sqlite3.sqlite_version,
        "newest_event": _value(copy, NEWEST) or 0,
        "counts": {name: _value(copy, f'SELECT COUNT(*) FROM "{name}"') for name in ours},
    }


def _value(copy: sqlite3.Connection, sql: str):
    return copy.execute(sql).fetchone()[0]


def _copy_postgres(folder: Path) -> dict:
    """Dumps a snapshot of the database with pg_dump. Returns the manifest's entries.

    Raises BackupError if the dump's row counts differ from those of the snapshot.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute(f"SET LOCAL {name} = 0")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        counts = {}
        for table in sorted(row.name for row in connection.introspection.get_table_list(cursor) if row.type == "t"):
            cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)}")
            counts[table] = cursor.fetchone()[0]
        cursor.execute(NEWEST)
        newest = cursor.fetchone()[0] or 0
        if settings.BACKUP_RECIPIENT:
            name = POSTGRES + encryption.SUFFIX
            with encryption.encrypted(folder / name) as target:
                found = postgres_programs.dump_into(target, snapshot=snapshot)
        else:
            name = POSTGRES
            postgres_programs.dump(folder / name, snapshot=snapshot)
    if not settings.BACKUP_RECIPIENT:
        found = postgres_programs.count_rows(folder / name)
        _sync(folder / name)
    if wrong := sorted(name for name in counts if found.get(name) != counts[name]):
        raise BackupError(f"the dump does not hold what the database does: {', '.join(wrong)[:300]}")
    return {
        "vendor": "postgresql",
        "server": postgres_programs.server_major(),
        "file": name,
        "newest_event": newest,
        "counts": counts,
    }


def _sync(file: Path) -> None:
    with open(file, "rb") as written:
        os.fsync(written.fileno())


def _encrypt_attachments(folder: Path, on_progress: Callable[[int, int], None]) -> int:
    """Writes all attachments into one encrypted archive. Returns their number."""
    number = 0
    with encryption.encrypted(folder / ARCHIVE) as target, tarfile.open(fileobj=target, mode="w|") as archive:
        for name, file in _attachments(on_progress):
            member = tarfile.TarInfo(name)
            member.size = os.fstat(file.fileno()).st_size
            archive.addfile(member, file)
            number += 1
    return number


def _copy_profile(folder: Path) -> dict[str, dict]:
    """Copies the partner profile, if there is one. Returns the profile's entry in the manifest."""
    if not settings.PARTNERS_FILE:
        return {}
    with open(settings.PARTNERS_FILE, "rb") as file:
        if not settings.BACKUP_RECIPIENT:
            return {PROFILE: backup_manifest.copy_file(file, folder / PROFILE)}
        name = PROFILE + encryption.SUFFIX
        with encryption.encrypted(folder / name) as target:
            shutil.copyfileobj(file, target, CHUNK)
    return {name: backup_manifest.size_and_hash(folder / name)}


def _attachments(on_progress: Callable[[int, int], None]) -> Iterator[tuple[str, IO[bytes]]]:
    """Yields (name in the backup, open file) of each attachment.

    Skips symbolic links, because they may point anywhere. Skips files that are deleted meanwhile.
    """
    root = settings.ATTACHMENT_DIR
    found = sorted(root.rglob("*")) if root.is_dir() else []
    for done, path in enumerate(found, 1):
        on_progress(done, len(found))
        if path.is_symlink() or not path.is_file():
            continue
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            yield f"{ATTACHMENTS}/{path.relative_to(root).as_posix()}", file
