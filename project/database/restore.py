"""Restores a backup (contract section 5, `restore`)."""

import contextlib
import datetime
import hashlib
import io
import itertools
import os
import shutil
import socket
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import connection

from orders.erasing.erased_list import erased_file, merge_erased
from orders.history.order_locks_and_events import add_event
from orders.models import OrderEvent
from orders.restore.detect_restore import note_restored
from orders.restore.manual_trial_numbers import merge_numbers, numbers_file
from orders.restore.mark_file import raise_mark
from project.database import backup_manifest, encryption, postgres_programs
from project.database.backup import (
    ARCHIVE,
    ATTACHMENTS,
    PROFILE,
    RESTORED,
    backup_facts,
    profile_of,
    unnamed_sqlite,
)
from project.database.run_program import CHUNK, BackupError


@dataclass
class RestoreResult:
    """The result of a restore.

    `files` is the number of restored attachments. `kept` are existing files that differ from the backup's files. They
    were not overwritten, because they may be newer. If PARTNERS_FILE is empty or differs, `profile` is the path of the
    backup's partner profile.
    """

    facts: dict
    files: int = 0
    kept: list[str] = field(default_factory=list)
    profile: Path | None = None


@dataclass(frozen=True)
class Source:
    """The folder of a backup. `identity` is the file with the private key, or None for a plain backup."""

    folder: Path
    facts: dict
    identity: Path | None

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """Yields a file of the backup, decrypted if necessary. Raises BackupError."""
        if self.identity:
            with encryption.decrypted(
                self.folder / name, identity=self.identity, recipient=self.facts["recipient"]
            ) as file:
                yield file
        else:
            with open(self.folder / name, "rb") as file:
                yield file


def restore(
    folder: Path,
    *,
    by: str,
    now: datetime.datetime,
    identity: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> RestoreResult:
    """Verifies a backup and restores it into an empty database. Raises BackupError.

    `identity` is the file with the private key. An encrypted backup requires it.
    """
    facts = backup_manifest.read(folder)
    _check(facts)
    if "recipient" in facts and not identity:
        raise BackupError(f"it is encrypted to {facts['recipient']}: name the file of its private key by --identity")
    source, done = Source(folder, facts, identity if "recipient" in facts else None), RestoreResult(facts)
    _restore_attachments(source, done, on_progress)
    try:
        # This comes before the data, so that the database counts as restored as soon as a process can use it.
        raise_mark(facts["database"], facts["newest_event"] + 1)
        _restore_profile(source, done)
    except OSError as error:
        raise BackupError(f"STATE_DIR can't be written: {error}") from error
    if facts["vendor"] == "sqlite":
        _restore_sqlite(source)
    else:
        connection.close()
        with source.opened(facts["file"]) as dump:
            postgres_programs.restore_dump(dump)
    connection.close()
    if wrong := [name for name, number in facts["counts"].items() if _count(name, facts["newest_event"]) != number]:
        raise BackupError(f"what was put back is not what the backup holds: {', '.join(wrong)[:300]}")
    here = {"machine": socket.gethostname(), "newest": facts["newest_event"], "backup": facts["made_at"]}
    note_restored(name=facts["database"], about=here, by=by, now=now)  # if no other process has done so already
    add_event(None, RESTORED, by=by, now=now, **backup_facts(folder, facts))
    return done


def _check(facts: dict) -> None:
    if facts["vendor"] != connection.vendor:
        raise BackupError(f"the backup is of {facts['vendor']}, DATABASE_URL names {connection.vendor}")
    if connection.vendor == "postgresql" and postgres_programs.server_major() < facts["server"]:
        raise BackupError(
            f"the backup is of PostgreSQL {facts['server']}, the server is {postgres_programs.server_major()}"
        )
    if tables := connection.introspection.table_names():
        raise BackupError(f"the database is not empty: it has {len(tables)} tables; restore into a new one")


def _restore_attachments(source: Source, done: RestoreResult, on_progress: Callable[[int, int], None]) -> None:
    files = source.facts["files"]
    names = [name for name in files if name.startswith(f"{ATTACHMENTS}/")]
    total, numbers = source.facts.get("attachments", len(names)), itertools.count(1)

    def put(name: str, file: IO[bytes]) -> None:
        on_progress(next(numbers), total)
        _restore_attachment(settings.ATTACHMENT_DIR / name.removeprefix(f"{ATTACHMENTS}/"), file, done)

    for name in names:
        with source.opened(name) as file:
            put(name, file)
    if ARCHIVE in files:
        with source.opened(ARCHIVE) as archive, tarfile.open(fileobj=archive, mode="r|") as members:
            for member in members:
                backup_manifest.refuse_outside(member.name)
                if content := members.extractfile(member):
                    put(member.name, content)


def _restore_attachment(target: Path, file: IO[bytes], done: RestoreResult) -> None:
    """Restores an attachment. Keeps an existing file, because it may have been uploaded after the backup.

    Missing lines are added to the file of manually entered numbers and to the list of erased orders.
    """
    if target == numbers_file():
        done.files += bool(merge_numbers(file.read()))
    elif target == erased_file():
        done.files += bool(merge_erased(file.read()))
    elif not target.exists():
        part = target.with_name(f".{target.name}.part")
        backup_manifest.copy_file(file, part)
        os.replace(part, target)
        done.files += 1
    elif backup_manifest.size_and_hash(target)["sha256"] != hashlib.file_digest(file, "sha256").hexdigest():
        done.kept.append(target.name)


def _restore_profile(source: Source, done: RestoreResult) -> None:
    """Copies the backup's partner profile into STATE_DIR. If PARTNERS_FILE has the same content, copies nothing.

    Does not replace PARTNERS_FILE, because only the operator knows which profile is right.
    """
    if not (name := profile_of(source.facts)):
        return
    with source.opened(name) as file:
        content = file.read()
    given, target = settings.PARTNERS_FILE, settings.STATE_DIR / PROFILE
    if given and Path(given).read_bytes() == content:
        return
    if target.exists() and target.read_bytes() != content:
        done.kept.append(target.name)
        return
    backup_manifest.copy_file(io.BytesIO(content), target)
    done.profile = target


def _restore_sqlite(source: Source) -> None:
    connection.ensure_connection()
    path = source.folder / source.facts["file"]
    if not source.identity:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            copy.backup(connection.connection)
        return
    folder = Path(connection.settings_dict["NAME"]).absolute().parent
    with unnamed_sqlite(folder) as (file, _, copy):
        with source.opened(path.name) as decrypted:
            shutil.copyfileobj(decrypted, file, CHUNK)
        file.flush()
        copy.backup(connection.connection)


def _count(table: str, newest_event: int) -> int:
    """Returns the number of rows of a table. Does not count events that a process has written since, such as the event
    of a detected restore."""
    only = f" WHERE id <= {newest_event:d}" if table == OrderEvent._meta.db_table else ""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)}{only}")
        return cursor.fetchone()[0]
