"""Info-security files for the reader: what the check said, the first rows, the file itself."""

import contextlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.functional import Promise

from orders.attachments import KINDS
from orders.causes import Cause, cause_of
from orders.models import Dispatch, Order

ROWS = Path(__file__).parent.parent / "xlsx_rows.py"
SECONDS = 8
PENDING, RIGHT, WAIVED, WRONG = "pending", "right", "waived", "wrong"


@dataclass(frozen=True)
class NamedFile:
    """A file that the order names. `check`: pending, right, waived or wrong (then `cause` and `detail` say why)."""

    field: str
    title: str | Promise
    name: str
    check: str
    cause: Cause | None = None
    detail: str = ""


def files_of(order: Order, check: Dispatch | None, *, waived: bool) -> list[NamedFile]:
    """The named files in the message's order. Pure."""
    return [_named(order, field, check, waived) for field in KINDS if getattr(order, field)]


def _named(order: Order, field: str, check: Dispatch | None, waived: bool) -> NamedFile:
    name, title = getattr(order, field), Order._meta.get_field(field).verbose_name
    if check is None or (check.state != Dispatch.State.DONE and not check.error_code):
        return NamedFile(field, title, name, PENDING)
    if check.state == Dispatch.State.DONE:
        return NamedFile(field, title, name, WAIVED if waived else RIGHT)
    meant, _colon, message = check.error.partition(": ")
    if meant == name:
        return NamedFile(field, title, name, WRONG, cause_of(check.error_code), message)
    return NamedFile(field, title, name, PENDING)


def first_rows(name: str, *, mask: Callable[[str], str]) -> list[list[str]] | None:
    """The first 20 rows of a file that was found right; None if it can't be read now."""
    try:
        with opened(name) as handle:
            ended = subprocess.run(
                [sys.executable, "-I", "-W", "ignore", str(ROWS)], stdin=handle, capture_output=True, text=True,
                env={key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH") if key in os.environ},
                timeout=SECONDS, check=False,
            )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    if ended.returncode:
        return None
    return [[mask(cell) for cell in row] for row in json.loads(ended.stdout)]


@contextlib.contextmanager
def opened(name: str) -> Iterator[int]:
    """A descriptor of a regular file in ATTACHMENT_DIR. Raises OSError; follows no link and leaves no folder."""
    handle = open_attachment(name)
    try:
        yield handle
    finally:
        os.close(handle)


def open_attachment(name: str) -> int:
    """The same without a block: the caller closes it."""
    if Path(name).name != name or name in {"", ".", ".."}:
        raise OSError(f"{name!r} is no plain file name")
    path = Path(settings.ATTACHMENT_DIR) / name
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{name!r} is no regular file")
    return handle
