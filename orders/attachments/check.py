"""Checks an order's info-security files (contract 3.7). Uses no database, since delivery calls it from threads.

Cheap checks run here: name, type, size and first bytes. `orders.attachments.xlsx` unpacks the file in a separate
process with limits. That process gets the same open descriptor, so that the file can't be exchanged in between. The
limits of the process (unpacked size, entries, memory, CPU time) are defined in that module. The limits for the file
size and for the time of all files are defined here. Lack of resources on this machine (time, memory, descriptors, a
disk that does not respond) is no finding, but raises ProbeError.
"""

import contextlib
import datetime
import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from orders.attachments.xlsx import CPU_SECONDS, ProbeError, ask
from orders.db.disk import lock_is_free
from orders.texts.error_messages import say_why_in_english

FILE_TYPES = {"info_security": "50004020027", "info_security_table": "50004020028", "busi_info": "50004020030"}
MAX_BYTES = 20 * 1024 * 1024
SECONDS_FOR_ALL = 10.0  # for all files of an order: a drain must end within 20 s (contract 3.9, Alive)
AT_ONCE = 2  # files that a machine opens at a time, so that each has a CPU
LOOK_AGAIN = 0.05  # seconds between attempts to get a slot
UNCHECKED = "files_unchecked"  # the code of a check that this machine could not carry out
OURS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EIO, errno.ESTALE, errno.ETIMEDOUT}
NOT_LOOKED_AT = ""
WRONG_NAME = "file_name"
OLD = ".xls"  # if the partner profile accepts it; such a file may also contain xlsx data
ZIP, CFB = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
VERDICTS = {
    "too_large": {"code": "file_unpacked", "seconds": CPU_SECONDS},
    "not_xlsx": {"code": "file_not_opened"},
    "encrypted": {"code": "file_encrypted"},
    "empty": {"code": "file_empty"},
}
"""Verdicts of the probe, each with its message code."""


@dataclass(frozen=True)
class FileProblem:
    """A fault of one file. `code`: missing, bad_name, too_large, not_xlsx, encrypted or empty, or NOT_LOOKED_AT.

    `why`: the message about the fault as a code with parameters. `message`: the same in English.
    """

    code: str
    file: str
    message: str
    why: dict = field(default_factory=dict, compare=False)

    @property
    def never_cured(self) -> bool:
        """Returns True if no file can fix the fault, since the name that BBOSS gave is wrong."""
        return self.why.get("code") == WRONG_NAME


class _WrongError(Exception):
    def __init__(self, code: str, why: str, /, **params: object):
        super().__init__(code)
        self.code, self.why = code, {"code": why, **params}

    def finding(self, file: str) -> FileProblem:
        return FileProblem(self.code, file, say_why_in_english(self.why), self.why)


def check_files(*, order_number: str, files: dict[str, str]) -> list[FileProblem]:
    """Returns the faults of an order's files in ATTACHMENT_DIR (contract 3.7). The result is empty if all files are
    right.

    Only the first fault of each file is given. `files` is {"info_security": name, "info_security_table": name,
    "busi_info": name}, without files that the order does not name. Whatever the order of `files`, the files are checked
    in the sequence shown here. A symbolic link is `bad_name`. Anything but a regular file is `not_xlsx`. An unreadable
    file is `missing`. Takes at most ten seconds. If this machine could not check a file and another file is wrong, the
    unchecked file is NOT_LOOKED_AT. If no other file is wrong, raises ProbeError.
    """
    deadline, found, trouble = time.monotonic() + SECONDS_FOR_ALL, [], None
    for kind in FILE_TYPES:
        name = files.get(kind)
        if not name:
            continue
        try:
            if not is_named_right(name, order_number, kind):
                endings = " / ".join(settings.PARTNERS.files.extensions)
                raise _WrongError(
                    "bad_name", WRONG_NAME, form=f"{order_number}_{FILE_TYPES[kind]}_YYYYMMDDHHMMSS{endings}"
                )
            _check_file(name, deadline)
        except _WrongError as wrong:
            found.append(wrong.finding(name))
        except ProbeError as error:
            trouble = error
            found.append(FileProblem(NOT_LOOKED_AT, name, f"it could not be checked now: {error}"))
    if trouble and not any(one.code for one in found):
        raise trouble
    return found


def is_named_right(name: str, order_number: str, kind: str) -> bool:
    """Returns True if a name fits the order and the type, and contains a valid time.

    Such a name can't contain a path.
    """
    endings = "|".join(map(re.escape, settings.PARTNERS.files.extensions))
    match = re.fullmatch(rf"{re.escape(order_number)}_{FILE_TYPES[kind]}_([0-9]{{14}})(?:{endings})", name)
    try:
        return match is not None and bool(datetime.datetime.strptime(match[1], "%Y%m%d%H%M%S"))
    except ValueError:
        return False


def _check_file(name: str, deadline: float) -> None:
    with _opened(name) as handle:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise _WrongError("not_xlsx", "file_irregular")
        start = os.pread(handle, 4, 0)
        _check_beginning(start, facts.st_size, old=name.endswith(OLD))
        with _turn(deadline):
            verb = "probe_old" if start == CFB else "probe"
            verdict = ask(verb, handle, seconds=max(deadline - time.monotonic(), 0.1))["verdict"]
    if verdict != "right":
        why = dict(VERDICTS[verdict])
        raise _WrongError(verdict, why.pop("code"), **why)


@contextlib.contextmanager
def _turn(deadline: float) -> Iterator[None]:
    """Waits for one of the AT_ONCE check slots of this machine. Raises ProbeError if none is free in time."""
    with contextlib.ExitStack() as held:
        while not any(lock_is_free(held, settings.STATE_DIR, f"file-check-{number}") for number in range(AT_ONCE)):
            held.close()
            if time.monotonic() > deadline:
                raise ProbeError("other files were checked meanwhile")
            time.sleep(LOOK_AGAIN)
        yield


def _check_beginning(start: bytes, size: int, *, old: bool) -> None:
    if size > MAX_BYTES:
        raise _WrongError("too_large", "file_size", size=size, most=MAX_BYTES)
    if start == CFB and old:
        return
    if start == CFB:
        raise _WrongError("encrypted", "file_encrypted")
    if start != ZIP:
        raise _WrongError("not_xlsx", "file_no_zip")


def why_never_right(start: bytes, size: int) -> dict | None:
    """Returns why a file of this size with these first four bytes can't pass the check, as a code with parameters.

    Returns None if the full check has to decide.
    """
    try:
        _check_beginning(start, size, old=OLD in settings.PARTNERS.files.extensions)
    except _WrongError as wrong:
        return wrong.why
    return None


@contextlib.contextmanager
def _opened(name: str) -> Iterator[int]:
    """Yields the file's descriptor, which is opened once for all checks. Does not follow links. Does not wait for a
    pipe."""
    try:
        path = Path(settings.ATTACHMENT_DIR) / name
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in OURS:
            raise ProbeError(f"it can't be opened: {error.strerror}") from error
        raise _unreadable(error) from error
    try:
        yield handle
    finally:
        os.close(handle)


def _unreadable(error: OSError) -> _WrongError:
    if error.errno == errno.ELOOP:
        return _WrongError("bad_name", "file_link")
    if error.errno == errno.ENOENT:
        return _WrongError("missing", "file_missing")
    return _WrongError("missing", "file_unreadable", why=error.strerror)
