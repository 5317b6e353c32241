"""Makes a verified copy of the database and of ATTACHMENT_DIR (contract section 5, `backup`)."""

import contextlib
import datetime
import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import django
from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from orders.models import OrderEvent
from orders.services.order_writes import add_event
from orders.services.restores import present_timeline
from project.database import manifest, postgres
from project.database.errors import BackupError

SQLITE, POSTGRES = "database.sqlite3", "database.dump"
ATTACHMENTS = "attachments"
PUT_BACK = "backup_put_back"  # the kind of the event that a restore writes
NEWEST = 'SELECT MAX(id) FROM "orders_orderevent"'


def backup(
    folder: Path, *, by: str, now: datetime.datetime, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> dict:
    """Makes a backup in a new or empty folder while the desk runs. Returns the manifest. Raises BackupError.

    The database is copied before the files, since files arrive before the orders that name them. Only the owner can
    read the folder, since it holds personal data.
    """
    _check(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    row = present_timeline()
    if row is None:
        raise BackupError("the database has no name: run migrate first")
    copied = _copy_sqlite(folder) if connection.vendor == "sqlite" else _copy_postgres(folder)
    files = {copied["file"]: manifest.measure(folder / copied["file"]), **_copy_attachments(folder, on_progress)}
    facts = {
        "made_at": timezone.localtime(now).isoformat(timespec="seconds"),
        "machine": socket.gethostname(),
        "database": row.name,
        "counted_as_restored": row.restored_at is not None,
        "django": django.get_version(),
        "migrations": _migrations(),
        **copied,
        "files": files,
    }
    manifest.write(folder, facts)
    add_event(None, "backed_up", by=by, now=now, **backup_facts(folder, facts))
    return facts


def backup_facts(folder: Path, facts: dict) -> dict:
    named = {name: facts[name] for name in ("made_at", "machine", "newest_event")}
    return named | {"folder": str(folder.absolute()), "bytes": sum(row["bytes"] for row in facts["files"].values())}


def last_backup() -> dict | None:
    """The last backup that this database knows.

    It is stored in the database so that every machine sees it. A restored database names the backup it was restored
    from; the copy itself knows only older ones.
    """
    rows = OrderEvent.objects.filter(order=None, kind__in=["backed_up", PUT_BACK])
    row = rows.order_by("-pk").first()
    return row and {name: row.data[name] for name in ("made_at", "machine", "newest_event", "folder", "bytes")}


def _check(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BackupError(f"{folder} is no folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty: a backup needs a folder of its own")
    if folder.absolute().is_relative_to(settings.ATTACHMENT_DIR.absolute()):
        raise BackupError(f"{folder} lies in ATTACHMENT_DIR, which would be copied into itself")


def _copy_sqlite(folder: Path) -> dict:
    """Copies the database with SQLite's backup API, which works while it is in use. Then checks the copy."""
    connection.ensure_connection()
    with contextlib.closing(sqlite3.connect(folder / SQLITE)) as copy:
        connection.connection.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # a single file, without -wal and -shm
        said = [row[0] for row in copy.execute("PRAGMA integrity_check")]
        if said != ["ok"]:
            raise BackupError(f"the copy is damaged: {'; '.join(said)[:300]}")
        tables = [row[0] for row in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        ours = [name for name in tables if not name.startswith("sqlite_")]
        counts = {name: _value(copy, f'SELECT COUNT(*) FROM "{name}"') for name in ours}
        newest = _value(copy, NEWEST)
    _sync(folder / SQLITE)
    return {
        "vendor": "sqlite",
        "server": sqlite3.sqlite_version,
        "file": SQLITE,
        "newest_event": newest or 0,
        "counts": counts,
    }


def _value(copy: sqlite3.Connection, sql: str):
    return copy.execute(sql).fetchone()[0]


def _copy_postgres(folder: Path) -> dict:
    """Dumps with pg_dump. The rows are counted in the same snapshot, and again in the dump."""
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
        postgres.dump(folder / POSTGRES, snapshot=snapshot)
    found = postgres.count_rows(folder / POSTGRES)
    if wrong := sorted(name for name in counts if found.get(name) != counts[name]):
        raise BackupError(f"the dump does not hold what the database does: {', '.join(wrong)[:300]}")
    _sync(folder / POSTGRES)
    return {
        "vendor": "postgresql",
        "server": postgres.server_major(),
        "file": POSTGRES,
        "newest_event": newest,
        "counts": counts,
    }


def _sync(file: Path) -> None:
    with open(file, "rb") as written:
        os.fsync(written.fileno())


def _copy_attachments(folder: Path, on_progress: Callable[[int, int], None]) -> dict:
    """Copies regular files only, since a link may point anywhere. Skips files that disappear meanwhile."""
    copied, root = {}, settings.ATTACHMENT_DIR
    found = sorted(root.rglob("*")) if root.is_dir() else []
    for done, file in enumerate(found, 1):
        on_progress(done, len(found))
        if file.is_symlink() or not file.is_file():
            continue
        name = f"{ATTACHMENTS}/{file.relative_to(root).as_posix()}"
        with contextlib.suppress(FileNotFoundError):
            copied[name] = manifest.copy_file(file, folder / name)
    return copied


def _migrations() -> dict[str, str]:
    applied = MigrationRecorder(connection).applied_migrations()
    return dict(sorted(applied))
