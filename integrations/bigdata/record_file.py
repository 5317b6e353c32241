"""The big-data side's records in a CSV file, used in place of its responses (contract 7.2)."""

import csv
import datetime
import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from django.conf import settings

from integrations.bigdata.billing_record_fields import CANCELLED, LIVE, without_deleted
from integrations.bigdata.record_comparison import MEMBERS
from integrations.bigdata.record_lookup import is_name
from orders.books.books import RecordFileError

NAMES = ("jobId", "productId", "domain", "enterpriseId", "infoType")
TIMES = ("createTime", "cancelTime")
STATUS = "cancelStatus"
NEEDED = (*NAMES, STATUS, *TIMES)
SHOWN = 40  # characters of an invalid value that are shown

Column = tuple[int, str, str, Callable[[str], str]]  # position, our name, name in the file, check of a value


class RecordFile:
    """The big-data side's records in a file, by jobId. The records are stored on disk, so that memory use does not grow
    with the size of the file. Only one thread may use an object."""

    def __init__(self, path: Path):
        """Reads and checks the whole file. Raises RecordFileError."""
        self._rows = sqlite3.connect("")  # temporary database, deleted with the connection
        self._rows.execute("CREATE TABLE held (job, row)")
        lines = ((row["jobId"], json.dumps(row, ensure_ascii=False)) for row in without_deleted(read_rows(path)))
        self.lines = self._rows.executemany("INSERT INTO held VALUES (?, ?)", lines).rowcount
        self._rows.execute("CREATE INDEX of_job ON held (job)")

    def rows(self, job_id: str) -> list[dict[str, str]]:
        found = self._rows.execute("SELECT row FROM held WHERE job = ? ORDER BY rowid", [job_id])
        return [json.loads(row) for (row,) in found]

    def jobs(self) -> Iterator[str]:
        for (job,) in self._rows.execute("SELECT DISTINCT job FROM held ORDER BY job"):
            yield job


def rows_of(path: Path, job_ids: Collection[str]) -> list[dict[str, str]]:
    """Returns the file's rows with a jobId in `job_ids`. Checks the whole file. Raises RecordFileError."""
    return [row for row in read_rows(path) if row["jobId"] in job_ids]


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yields the rows of a file with the columns of a record, under our names. Raises RecordFileError that names line
    and column."""
    try:
        with path.open("rb") as file:
            yield from _rows(file)
    except OSError as error:
        raise RecordFileError(f"{path}: {error.strerror}") from error
    except RecordFileError as error:
        raise RecordFileError(f"{path}: {error}") from None


def _rows(file: Iterable[bytes]) -> Iterator[dict[str, str]]:
    reader = csv.reader(_decoded(file), strict=True)
    columns: list[Column] = []
    try:
        for cells in reader:
            if not any(cells):
                continue
            if not columns:
                width, columns = len(cells), _columns(cells)
                continue
            if len(cells) != width:
                raise RecordFileError(f"line {reader.line_num}: has {len(cells)} columns, not {width}")
            row = {}
            for place, ours, named, why_wrong in columns:
                value = row[ours] = cells[place].strip()
                if why := why_wrong(value):
                    raise RecordFileError(f"line {reader.line_num}, column {named}: {value[:SHOWN]!r} {why}")
            yield row
    except csv.Error as error:
        raise RecordFileError(f"line {reader.line_num}: {error}") from None
    if not columns:
        raise RecordFileError("it has no header line")


def _decoded(file: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise RecordFileError(f"line {number}: it is not a text in UTF-8") from None


def _columns(header: list[str]) -> list[Column]:
    """Returns the columns of a record's members. A column is found by our name or the partner's. Ignores other columns.
    Raises RecordFileError for a missing or double column."""
    theirs = settings.PARTNERS.bigdata.rename
    ours = {their: our for our, their in theirs.items()}
    found: dict[str, Column] = {}
    for place, named in enumerate(map(str.strip, header)):
        name = ours.get(named, named)
        if name not in MEMBERS:
            continue
        if name in found:
            raise RecordFileError(f"line 1, column {named}: {name} is there twice")
        found[name] = (place, name, named, CHECKS.get(name, _why_no_text))
    if missing := [theirs.get(name, name) for name in NEEDED if name not in found]:
        raise RecordFileError(f"line 1: no column {', '.join(missing)}")
    return list(found.values())


def _why_no_name(value: str) -> str:
    return "" if is_name(value) else "is no name"


def _why_no_text(value: str) -> str:
    return "holds U+0000" if "\0" in value else ""


def _why_no_status(value: str) -> str:
    return "" if value in {LIVE, CANCELLED} else f"is neither {LIVE} (live) nor {CANCELLED} (cancelled)"


def _why_no_time(value: str) -> str:
    """Returns the reason why a time is wrong, or "". `strptime` is not used, because it accepts fewer digits and is
    slow for large files."""
    try:
        if len(value) == 14 and value.isascii() and value.isdigit():
            parts = [value[:4], *(value[place : place + 2] for place in range(4, 14, 2))]
            datetime.datetime(*map(int, parts))  # noqa: DTZ001  raises ValueError if there is no such time
            return ""
    except ValueError:
        pass
    return "is no time (YYYYMMDDHHMMSS)"


CHECKS = dict.fromkeys(NAMES, _why_no_name) | dict.fromkeys(TIMES, _why_no_time) | {STATUS: _why_no_status}
