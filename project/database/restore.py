"""Restores a backup (contract section 5, `restore`)."""

import contextlib
import datetime
import os
import socket
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db import connection

from orders.models import OrderEvent
from orders.restored_guard import note_restored, raise_mark
from orders.services.entered_numbers import merge_numbers, numbers_file
from orders.services.order_writes import add_event
from project.database import manifest, postgres
from project.database.backup import ATTACHMENTS, PUT_BACK, backup_facts
from project.database.errors import BackupError


@dataclass
class Restored:
    """What was restored. `kept`: existing files with other content, which are newer than the backup's."""

    facts: dict
    files: int = 0
    kept: list[str] = field(default_factory=list)


def restore(
    folder: Path, *, by: str, now: datetime.datetime, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> Restored:
    """Verifies a backup, then puts it into an empty database. Raises BackupError.

    The database counts as restored before anybody can use it. For this, the mark of this machine is raised first, and
    the row is written last.
    """
    facts = manifest.read(folder)
    _check(facts)
    done = Restored(facts)
    _put_attachments_back(folder, done, on_progress)
    try:
        raise_mark(facts["database"], facts["newest_event"] + 1)
    except OSError as error:
        raise BackupError(f"STATE_DIR can't be written: {error}") from error
    if facts["vendor"] == "sqlite":
        _put_sqlite_back(folder / facts["file"])
    else:
        connection.close()
        postgres.put_back(folder / facts["file"])
    connection.close()
    if wrong := [name for name, number in facts["counts"].items() if _count(name, facts["newest_event"]) != number]:
        raise BackupError(f"what was put back is not what the backup holds: {', '.join(wrong)[:300]}")
    here = {"machine": socket.gethostname(), "newest": facts["newest_event"], "backup": facts["made_at"]}
    note_restored(name=facts["database"], about=here, by=by, now=now)  # unless the guard has done so
    add_event(None, PUT_BACK, by=by, now=now, **backup_facts(folder, facts))
    return done


def _check(facts: dict) -> None:
    if facts["vendor"] != connection.vendor:
        raise BackupError(f"the backup is of {facts['vendor']}, DATABASE_URL names {connection.vendor}")
    if connection.vendor == "postgresql" and postgres.server_major() < facts["server"]:
        raise BackupError(f"the backup is of PostgreSQL {facts['server']}, the server is {postgres.server_major()}")
    if tables := connection.introspection.table_names():
        raise BackupError(f"the database is not empty: it has {len(tables)} tables; restore into a new one")


def _put_attachments_back(folder: Path, done: Restored, on_progress: Callable[[int, int], None]) -> None:
    """Puts attachments back. Existing files stay: BBOSS may have sent a better file since the backup.

    The file of numbers that staff entered keeps its lines and gets those that it lacks.
    """
    files = done.facts["files"]
    for number, (name, known) in enumerate(files.items(), 1):
        on_progress(number, len(files))
        if not name.startswith(f"{ATTACHMENTS}/"):
            continue
        target = settings.ATTACHMENT_DIR / name.removeprefix(f"{ATTACHMENTS}/")
        if target == numbers_file():
            done.files += bool(merge_numbers(folder / name))
        elif not target.exists():
            part = target.with_name(f".{target.name}.part")
            manifest.copy_file(folder / name, part)
            os.replace(part, target)
            done.files += 1
        elif manifest.measure(target) != known:
            done.kept.append(target.name)


def _put_sqlite_back(file: Path) -> None:
    connection.ensure_connection()
    with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as copy:
        copy.backup(connection.connection)


def _count(table: str, newest_event: int) -> int:
    """Counts rows. Leaves out events written since by whoever noticed the restore."""
    only = f" WHERE id <= {newest_event:d}" if table == OrderEvent._meta.db_table else ""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)}{only}")
        return cursor.fetchone()[0]
