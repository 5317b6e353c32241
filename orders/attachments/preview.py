"""Info-security files on the order page: the check's result, the first rows, and the download."""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from django.conf import settings
from django.utils.functional import Promise

from orders.attachments.check import FILE_TYPES, UNCHECKED, is_named_right
from orders.attachments.xlsx import ProbeError, ask
from orders.models import Dispatch, Order
from orders.texts.incident_texts import Cause, cause_of

SECONDS = 8
PENDING, RIGHT, WAIVED, WRONG = "pending", "right", "waived", "wrong"


@dataclass(frozen=True)
class NamedFile:
    """A file that the order names.

    `check` is pending, right, waived or wrong. `cause` and `detail`: the fault. `there`: the file can be downloaded.
    `bad_name`: the name from BBOSS is wrong, so no file can be right.
    """

    field: str
    title: str | Promise
    name: str
    check: str
    cause: Cause | None = None
    detail: str = ""
    detail_params: dict = field(default_factory=dict)
    there: bool = False
    bad_name: bool = False


def files_of(order: Order, check: Dispatch | None, *, waived: bool) -> list[NamedFile]:
    """Returns the named files in the sequence of the message, with `there` set if the file exists."""
    return [
        replace(
            _named(order, field, check, waived),
            there=is_there(order, field),
            bad_name=not is_named_right(getattr(order, field), order.number, field),
        )
        for field in FILE_TYPES
        if getattr(order, field)
    ]


def is_there(order: Order, field: str) -> bool:
    try:
        with own_file(order, field):
            return True
    except OSError:
        return False


def _named(order: Order, field: str, check: Dispatch | None, waived: bool) -> NamedFile:
    name, title = getattr(order, field), Order._meta.get_field(field).verbose_name
    if check is None or (check.state != Dispatch.State.DONE and not check.error_code):
        return NamedFile(field, title, name, PENDING)
    if check.error_code == UNCHECKED:
        return NamedFile(field, title, name, PENDING, cause_of(UNCHECKED))
    done = check.state == Dispatch.State.DONE
    if done and not waived:
        return NamedFile(field, title, name, RIGHT)
    findings = findings_of(check)
    one = next((one for one in findings if one["file"] == name), None)
    if one and one["code"]:
        found = cause_of(one["code"]), one["message"], one["why"]
        return NamedFile(field, title, name, WAIVED if done else WRONG, *found)
    if done and (one or not findings):  # its finding, if any, is unknown
        return NamedFile(field, title, name, WAIVED)
    return NamedFile(field, title, name, PENDING if one or not findings else RIGHT)


def findings_of(check: Dispatch) -> list[dict[str, str]]:
    """Returns {file, code, message, why} for each file of the last check. Before the first check has ended, returns
    []."""
    return check.findings or []


def first_rows(name: str) -> list[list[str]] | None:
    """Returns the first 20 rows of a file that passed the check, unmasked. Returns None if the file can't be read
    now."""
    try:
        with opened(name) as handle:
            return ask("first_rows", handle, seconds=SECONDS).get("rows")
    except (OSError, ProbeError):
        return None


def own_file(order: Order, field: str) -> contextlib.AbstractContextManager[int]:
    """Returns a descriptor of the order's file of this type. Raises OSError if the file can't be opened or its name
    breaks the rule."""
    return opened(own_name(order, field))


def own_name(order: Order, field: str) -> str:
    """Returns the name of the order's file. Raises OSError if the name breaks the rule (contract 3.7)."""
    name = getattr(order, field) if field in FILE_TYPES else ""
    if not name or not is_named_right(name, order.number, field):
        raise OSError(f"{name!r} is no file of order {order.number}")
    return name


@contextlib.contextmanager
def opened(name: str) -> Iterator[int]:
    """Yields a descriptor of a regular file in ATTACHMENT_DIR.

    Raises OSError. Links and names with a path raise OSError too.
    """
    handle = open_attachment(name)
    try:
        yield handle
    finally:
        os.close(handle)


def open_attachment(name: str) -> int:
    """Opens the file as `opened` does, but without a context manager, so the caller closes the file."""
    if Path(name).name != name or name in {"", ".", ".."}:
        raise OSError(f"{name!r} is no plain file name")
    path = Path(settings.ATTACHMENT_DIR) / name
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{name!r} is no regular file")
    return handle
