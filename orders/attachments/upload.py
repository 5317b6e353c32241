"""Stores an uploaded file in ATTACHMENT_DIR (contract 3.7): written under a temporary name, then renamed.

No database.
"""

import contextlib
import datetime
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from orders.attachments.check import MAX_BYTES, why_never_right
from orders.db.disk import sync_folder
from orders.incidents.desk_incidents import check_free_space
from orders.rules.local_time import SHANGHAI
from orders.texts.error_messages import say_why
from orders.texts.errors import NotAllowedError

logger = logging.getLogger(__name__)
PART = ".upload-"  # not a valid file name in a message
PARTS_KEPT = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Upload:
    """A complete upload on disk, under a temporary name in ATTACHMENT_DIR."""

    path: Path
    size: int
    sha256: str

    def replaced_name(self, name: str, now: datetime.datetime) -> str:
        """Returns the name for the present file: `NAME.replaced-YYYYMMDDHHMMSS` (Asia/Shanghai). If this name exists, a
        number is added.

        The name is empty if there is no present file.
        """
        folder = settings.ATTACHMENT_DIR
        if not os.path.lexists(folder / name):
            return ""
        base = kept = f"{name}.replaced-{now.astimezone(SHANGHAI):%Y%m%d%H%M%S}"
        number = 1
        while os.path.lexists(folder / kept):
            number += 1
            kept = f"{base}-{number}"
        return kept

    def put_in_place(self, name: str, kept: str) -> None:
        """Renames the present file to `kept` and the upload to `name`. The caller must have checked the name and hold
        the lock.

        Raises NotAllowedError.
        """
        folder = settings.ATTACHMENT_DIR
        with _told_as_error():
            if kept:
                os.rename(folder / name, folder / kept)
            os.rename(self.path, folder / name)
            sync_folder(folder)


@contextlib.contextmanager
def upload_beside(chunks: Iterable[bytes]) -> Iterator[Upload]:
    """Writes the bytes to a temporary file in ATTACHMENT_DIR. If the file is not put in place, it is deleted.

    Raises NotAllowedError if the file can't be written, is larger than MAX_BYTES or does not begin as an xlsx file, or
    if disk space is low.
    """
    check_free_space()
    with _told_as_error():
        settings.ATTACHMENT_DIR.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=PART, dir=settings.ATTACHMENT_DIR)
    try:
        with open(handle, "wb") as file, _told_as_error():
            upload = Upload(Path(name), *_write(file, chunks))
            os.fchmod(file.fileno(), 0o640)
            os.fsync(file.fileno())
        yield upload
    finally:
        Path(name).unlink(missing_ok=True)


def remove_parts(*, now: datetime.datetime) -> int:
    """Removes temporary files of killed uploads after a day. Returns their number."""
    removed = 0
    for path in settings.ATTACHMENT_DIR.glob(f"{PART}*"):
        with contextlib.suppress(FileNotFoundError):  # another worker removed the file meanwhile
            if path.stat().st_mtime < (now - PARTS_KEPT).timestamp():
                path.unlink()
                removed += 1
    return removed


def _write(file, chunks: Iterable[bytes]) -> tuple[int, str]:
    """Writes the chunks and returns (size, SHA-256). Stops if the file is too large."""
    start, size, digest = b"", 0, hashlib.sha256()
    for chunk in chunks:
        start, size = start or chunk[:4], size + len(chunk)
        if size > MAX_BYTES:
            break
        digest.update(chunk)
        file.write(chunk)
    file.flush()
    if why := why_never_right(start, size):
        raise NotAllowedError("upload_wrong", why=say_why(why))
    return size, digest.hexdigest()


@contextlib.contextmanager
def _told_as_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        logger.error("an uploaded file can't be written: %s", error)
        raise NotAllowedError("upload_not_written") from error
