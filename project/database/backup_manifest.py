"""The manifest of a backup: its origin, and the size and hash of each file.

A folder without a manifest is no complete backup.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import IO

from orders.db.disk import sync_folder
from project.database.run_program import CHUNK, BackupError

NAME = "manifest.json"
PLAIN, ENCRYPTED = 1, 2  # formats; 1.6.0 and older read PLAIN only
NEEDED = {"format", "made_at", "vendor", "file", "database", "newest_event", "counts", "files"}


def copy_file(source: IO[bytes], target: Path) -> dict:
    """Copies a file and syncs it to the disk. Returns {"bytes": …, "sha256": …} of the copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "wb") as write:
        shutil.copyfileobj(source, write, CHUNK)
        write.flush()
        os.fsync(write.fileno())
    return size_and_hash(target)


def size_and_hash(file: Path) -> dict:
    with open(file, "rb") as read:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(read, "sha256").hexdigest()}


def write(folder: Path, facts: dict) -> None:
    """Writes the manifest and syncs it to the disk. The manifest must be the last file, because it marks a complete
    backup."""
    part = folder / f".{NAME}"
    with open(part, "w", encoding="utf-8") as file:
        json.dump({"format": ENCRYPTED if "recipient" in facts else PLAIN, **facts}, file, ensure_ascii=False, indent=2)
        file.flush()
        os.fsync(file.fileno())
    part.rename(folder / NAME)
    sync_folder(folder)


def read(folder: Path) -> dict:
    """Returns the manifest. If the backup is incomplete or any of its files has changed, raises BackupError."""
    facts = _parse(folder)
    for name, known in facts["files"].items():
        file = folder / name
        refuse_outside(name)
        if not file.is_file():
            raise BackupError(f"the backup is not whole: {name} is missing")
        if size_and_hash(file) != known:
            raise BackupError(f"the backup is not whole: {name} has changed since it was made")
    if facts["file"] not in facts["files"]:
        raise BackupError(f"{folder / NAME} names no database")
    return facts


def refuse_outside(name: str) -> None:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise BackupError(f"{name!r} leads out of the backup")


def _parse(folder: Path) -> dict:
    try:
        facts = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        why = f"it has no {NAME}, which is written last" if folder.is_dir() else "there is no such folder"
        raise BackupError(f"{folder} is no finished backup: {why}") from None
    except (OSError, ValueError) as error:
        raise BackupError(f"{folder / NAME} can't be read: {error}") from error
    if not isinstance(facts, dict) or not facts.keys() >= NEEDED or not isinstance(facts["files"], dict):
        raise BackupError(f"{folder / NAME} is no manifest of a backup")
    if facts["format"] not in (PLAIN, ENCRYPTED):
        raise BackupError(f"{folder / NAME} is of format {facts['format']}, this version reads {PLAIN} and {ENCRYPTED}")
    return facts
