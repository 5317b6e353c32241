"""Reads untrusted xlsx and xls files in a separate process, so that a hostile file can't affect a worker.

`ask` starts this file as a program with one of four verbs. The program uses no Django. It gets no environment, since
the environment has secrets, and no descriptor except the file's descriptor. Its limits: 8 s of CPU time, 300 MiB of
address space (Python with openpyxl takes 33 MiB), no writing, a few open files. The program itself reports a file that
exceeds CPU time or memory as too_large, which does not depend on the machine's load. A program that timed out or was
killed gives no verdict. openpyxl opens the package (its XML through defusedxml). The rows and the shared strings may be
a hundred MiB of XML, so `probe` reads them with expat. openpyxl needs 5 s for a million empty rows and keeps every
shared string in memory; expat takes a second and hardly any memory.
"""

import copy
import datetime
import gc
import itertools
import json
import os
import re
import resource
import signal
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.parsers import expat

from openpyxl import load_workbook
from openpyxl.reader.excel import ExcelReader

PROGRAM = __file__
CPU_SECONDS, LAST_SECONDS = 8, 4  # seconds of CPU time, and more until it is killed
MEMORY = 300 * 1024 * 1024
UNPACKED = 100 * 1024 * 1024
ENTRIES = 5000
CHUNK = 64 * 1024
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # magic number of an .xls file
SECTORS, SMALL = (512, 4096), 64
END_OF_CHAIN = 0xFFFFFFFE
BEGINNINGS, END, FILEPASS = (0x0009, 0x0209, 0x0409, 0x0809), 0x000A, 0x002F  # records of an .xls
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # what the format allows
LOCKED = 0x1 | 0x40 | 0x2000  # encrypted, strongly encrypted, hidden names
MACROS = ("macroenabled", "vbaproject", "macrosheet")
FIRST_ROWS, FIRST_COLUMNS, FIRST_CHARACTERS = 20, 20, 200
MAX_LINES = 10_000  # of the sheet, including empty lines
MAX_COLUMNS = 100
MAX_CHARACTERS = 10_000_000  # in all cells: the caller holds them in memory
MAX_STYLES = 4000  # of one kind: openpyxl creates an object for each, used or not
MAX_MERGED = 20  # number of merged ranges that are reported
EXACT_DIGITS = 15  # Excel keeps no more of a number
ZEROS = re.compile("0{2,15}")  # number format with leading zeros
EMPTY = ["s", ""]
TOO_LARGE, NOT_XLSX = (
    {"verdict": "too_large"},
    {"verdict": "not_xlsx"},
)  # created in advance: there may be no memory left
STYLES_PART = "xl/styles.xml"
SHARED_STRINGS = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
NO_MEMORY = expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]


def _named(*tags: str) -> list[str]:
    return [f"http://schemas.openxmlformats.org/spreadsheetml/2006/main {tag}" for tag in tags]


ROW, CELL, STRING, TEXT, MERGED = _named("row", "c", "si", "t", "mergeCell")
VALUES = _named("v", "t", "f")  # value, inline text, formula
STYLES = _named("xf", "font", "fill", "border", "cellStyle", "numFmt", "dxf")


class ProbeError(Exception):
    """The program gave no verdict, for lack of time or memory or because of an error of ours. This says nothing about
    the file."""


class VerdictError(Exception):
    """Ends the reading of a file. Its text is the verdict."""


def ask(verb: str, file: BinaryIO | int, *arguments: int, seconds: float) -> dict[str, Any]:
    """Runs the program and returns its answer, or {"verdict": WORD} if the file can't be read. Raises ProbeError."""
    try:
        ended = subprocess.run(
            [sys.executable, "-I", "-W", "ignore", PROGRAM, verb, *map(str, arguments)],
            stdin=file,
            capture_output=True,
            text=True,
            env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProbeError(f"no verdict within {seconds:.1f} s") from error
    except OSError as error:  # no memory or no process for the program
        raise ProbeError(f"it can't be started: {error.strerror}") from error
    try:
        return json.loads(ended.stdout)
    except ValueError as error:
        raise ProbeError(f"no verdict (exit {ended.returncode}): {ended.stderr.strip()[-300:]}") from error


def answer(verb: str, file: BinaryIO, *arguments: int) -> dict[str, Any]:
    """Answers as `ask` does, in this process and without limits.

    Any error of openpyxl, except lack of memory, gives `not_xlsx`.
    """
    try:
        return VERBS[verb](file, *arguments)
    except VerdictError as error:
        return {"verdict": str(error)}
    except Exception as error:
        no_memory = isinstance(error, MemoryError) or isinstance(error, expat.ExpatError) and error.code == NO_MEMORY
        return TOO_LARGE if no_memory else NOT_XLSX


def probe(file: BinaryIO) -> dict[str, str]:
    """Returns the verdict: right, too_large, not_xlsx, encrypted, or empty (less than two rows of the first sheet)."""
    check_package(file)
    reader = _opened(file, macros="not_xlsx")
    reader.read_workbook()
    sheets = _sheets_of(reader)
    if not sheets:
        raise VerdictError("not_xlsx")
    strings = reader.package.find(SHARED_STRINGS)
    blank = _blank_strings(reader.archive, strings.PartName.lstrip("/")) if strings is not None else set()
    filled, fresh, shared = 0, False, False  # fresh: in a row that has not been counted yet
    for name, attributes, text in _elements(reader.archive, sheets[0]):
        if name == ROW:
            fresh, shared = True, False
        elif name == CELL:
            shared = attributes.get("t") == "s"  # the value is the number of a shared string
        elif fresh and text and name in VALUES and not (shared and int(text) in blank):
            filled, fresh = filled + 1, False
            if filled > 1:
                return {"verdict": "right"}
    return {"verdict": "empty"}


def _blank_strings(archive: zipfile.ZipFile, part: str) -> set[int]:
    """Returns the indexes of shared strings that are empty or blank. A cell with such a string has no data."""
    found, number = set(), -1
    for name, _attributes, text in _elements(archive, part):
        if name == STRING:
            number += 1
            found.add(number)
        elif name == TEXT and text:
            found.discard(number)
    return found


def first_rows(file: BinaryIO) -> dict[str, list[list[str]]]:
    """Returns `rows`: at most 20 of 20 cells of 200 characters. Formulas are not evaluated."""
    sheet = load_workbook(file, read_only=True, keep_links=False).worksheets[0]
    rows = itertools.islice(sheet.iter_rows(max_row=FIRST_ROWS, max_col=FIRST_COLUMNS, values_only=True), FIRST_ROWS)
    return {"rows": [["" if cell is None else str(cell)[:FIRST_CHARACTERS] for cell in row] for row in rows]}


def cells(file: BinaryIO, most: int) -> dict[str, list]:
    """Returns `rows`, [[number, [[kind, text], ...]], ...], and `merged`, ranges. At most `most` rows may hold data.

    The header counts as one of them. Empty rows and cells at the end are left out. A cell's kind is one letter: `s`
    text, `n` number, `b` boolean, `d` date, `f` formula, `e` error, `r` a number that Excel has rounded. A day is
    written as YYYYMMDD.
    """
    with zipfile.ZipFile(file) as archive:
        if _has_macro_part(archive.namelist()):
            raise VerdictError("macros")
    check_package(file)
    reader = _opened(file, macros="macros")
    if STYLES_PART in reader.valid_files:
        _check_styles(reader.archive)
    reader.read()
    if not reader.wb.worksheets:
        raise VerdictError("not_xlsx")
    sheet = reader.wb.worksheets[0]
    sheet.reset_dimensions()  # some programs write wrong dimensions
    rows, characters = [], 0
    for number, row in enumerate(sheet.iter_rows(), start=1):
        if number > MAX_LINES:
            raise VerdictError("rows")
        found = _without_end([_cell(cell) for cell in row])
        if len(found) > MAX_COLUMNS:
            raise VerdictError("columns")
        if found:
            rows.append([number, found])
        if len(rows) > most:
            raise VerdictError("rows")
        characters += sum(len(text) for _kind, text in found)
        if characters > MAX_CHARACTERS:
            raise VerdictError("too_large")
    if not rows:
        raise VerdictError("empty")
    part = next(part for part in _sheets_of(reader) if part in reader.valid_files)
    elements = _elements(reader.archive, part)  # openpyxl does not report merged cells in read-only mode
    merged = (attributes.get("ref", "") for name, attributes, _text in elements if name == MERGED)
    return {"rows": rows, "merged": list(itertools.islice(merged, MAX_MERGED))}


def _sheets_of(reader: ExcelReader) -> list[str]:
    return [relation.target for _, relation in reader.parser.find_sheets() if "chartsheet" not in relation.Type]


def probe_old(file: BinaryIO) -> dict[str, str]:
    """Returns the verdict on an .xls file: right, encrypted or not_xlsx. Its rows are not read."""
    data = file.read()
    size = 1 << int.from_bytes(data[30:32], "little")
    if data[:8] != COMPOUND or size not in SECTORS:
        raise VerdictError("not_xlsx")
    stream = _workbook_stream(data, size)
    at, first = 0, True
    while at + 4 <= len(stream):
        kind, length = int.from_bytes(stream[at : at + 2], "little"), int.from_bytes(stream[at + 2 : at + 4], "little")
        if first and kind not in BEGINNINGS:
            break
        if kind == FILEPASS:
            raise VerdictError("encrypted")
        if kind == END and not first:
            return {"verdict": "right"}
        at, first = at + 4 + length, False
    raise VerdictError("not_xlsx")


def _workbook_stream(data: bytes, size: int) -> bytes:
    """Returns the workbook stream of a compound file. Raises VerdictError."""
    fat = [number for sector in _table_sectors(data, size) for number in _numbers(_sector(data, sector, size))]
    entries = _chain(data, int.from_bytes(data[48:52], "little"), fat, size)
    found = {}
    for at in range(0, len(entries), 128):
        entry = entries[at : at + 128]
        name = entry[: max(int.from_bytes(entry[64:66], "little") - 2, 0)].decode("utf-16-le", "replace")
        found[name] = int.from_bytes(entry[116:120], "little"), int.from_bytes(entry[120:124], "little")
    if "EncryptedPackage" in found:
        raise VerdictError("encrypted")
    start, length = found.get("Workbook") or found.get("Book") or (END_OF_CHAIN, 0)
    if length >= int.from_bytes(data[56:60], "little"):
        return _chain(data, start, fat, size)[:length]
    small = bytes(SMALL) + _chain(data, found.get("Root Entry", (END_OF_CHAIN, 0))[0], fat, size)
    small_fat = _numbers(_chain(data, int.from_bytes(data[60:64], "little"), fat, size))
    return _chain(small, start, small_fat, SMALL)[:length]


def _table_sectors(data: bytes, size: int) -> list[int]:
    found, following = _numbers(data[76:512]), int.from_bytes(data[68:72], "little")
    while following < END_OF_CHAIN - 4:
        numbers = _numbers(_sector(data, following, size))
        found, following = found + numbers[:-1], numbers[-1]
        if len(found) > len(data) // size + 256:
            raise VerdictError("not_xlsx")
    return [number for number in found if number < END_OF_CHAIN - 4]


def _chain(data: bytes, sector: int, fat: list[int], size: int) -> bytes:
    parts: list[bytes] = []
    while sector < len(fat) and len(parts) <= len(fat):
        parts.append(_sector(data, sector, size))
        sector = fat[sector]
    if sector != END_OF_CHAIN:
        raise VerdictError("not_xlsx")
    return b"".join(parts)


def _sector(data: bytes, number: int, size: int) -> bytes:
    return data[(number + 1) * size : (number + 2) * size]


def _numbers(part: bytes) -> list[int]:
    return [int.from_bytes(part[at : at + 4], "little") for at in range(0, len(part) - 3, 4)]


VERBS = {"probe": probe, "probe_old": probe_old, "first_rows": first_rows, "cells": cells}


def check_package(file: BinaryIO) -> None:
    """Checks the zip without parsing XML. Raises VerdictError. If the file is no zip, raises zipfile's errors."""
    with zipfile.ZipFile(file) as archive:
        _check_entries(archive.infolist())
        _check_sizes(archive)


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    """Checks only the zip's directory. The compression ratio is not checked, since empty rows reach 500:1."""
    names = [entry.filename for entry in entries]
    if len(entries) > ENTRIES:
        raise VerdictError("too_large")
    if any(entry.flag_bits & LOCKED for entry in entries):
        raise VerdictError("encrypted")
    if sum(entry.file_size for entry in entries) > UNPACKED:
        raise VerdictError("too_large")
    if "[Content_Types].xml" not in names or len(set(names)) < len(names):
        raise VerdictError("not_xlsx")
    if any(entry.compress_type not in METHODS for entry in entries) or _has_macro_part(names):
        raise VerdictError("not_xlsx")


def _has_macro_part(names: list[str]) -> bool:
    return any(name.lower().endswith("vbaproject.bin") for name in names)


def _check_sizes(archive: zipfile.ZipFile) -> None:
    """Unpacks every entry without keeping it, to verify the sizes in the directory and the checksums."""
    total = 0
    for entry in archive.infolist():
        size = _true_size(archive, entry, UNPACKED - total)
        total += size
        if size != entry.file_size or total > UNPACKED:
            raise VerdictError("too_large")


def _true_size(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> int:
    """Returns the real unpacked size of an entry. Stops soon after `limit`."""
    boundless = copy.copy(entry)
    boundless.file_size = UNPACKED * 2  # otherwise zipfile stops reading at the size in the directory
    size = 0
    with archive.open(boundless) as source:
        while size <= limit and (chunk := source.read(CHUNK)):
            size += len(chunk)
    return size


def _opened(file: BinaryIO, *, macros: str) -> ExcelReader:
    """Returns a reader that has read the manifest. `macros`: the verdict if the package contains macros."""
    reader = ExcelReader(file, read_only=True, keep_links=False)  # does not read or follow links to other files
    reader.read_manifest()
    types = [part.ContentType.lower() for part in (*reader.package.Override, *reader.package.Default)]
    if any(word in kind for kind in types for word in MACROS):
        raise VerdictError(macros)
    return reader


def _elements(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Yields a part's elements in order. Each element comes with the beginning of its text up to the next element.
    Blank text is "".

    The part is read in chunks, without building a tree. A document type is refused, since entity bombs need a document
    type, and the format has none.
    """
    found: list[tuple[str, dict[str, str], str]] = []

    def take_text(text: str) -> None:
        name, attributes, before = found[-1]
        if len(before) < EXACT_DIGITS and not text.isspace():  # text may arrive in pieces
            found[-1] = name, attributes, before + text

    def refuse(*declaration: object) -> None:
        raise VerdictError("not_xlsx")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: found.append((name, attributes, ""))
    parser.CharacterDataHandler = take_text
    parser.StartDoctypeDeclHandler = refuse
    with archive.open(part) as source:
        for chunk in itertools.chain(iter(lambda: source.read(CHUNK), b""), [b""]):
            try:
                parser.Parse(chunk, not chunk)
            finally:  # elements before an error are used
                yield from found[:-1]
                del found[:-1]
    yield from found


def _check_styles(archive: zipfile.ZipFile) -> None:
    counts = Counter[str]()
    for name, _attributes, _text in _elements(archive, STYLES_PART):
        if name in STYLES:
            counts[name] += 1
            if counts[name] > MAX_STYLES:
                raise VerdictError("styles")


def _without_end(found: list[list[str]]) -> list[list[str]]:
    while found and not found[-1][1]:
        found.pop()
    return found


def _cell(cell: Any) -> list[str]:
    value = cell.value
    if value is None:
        return EMPTY
    if cell.data_type in {"f", "e"}:
        return [cell.data_type, str(getattr(value, "text", value))]
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return ["d", _time_text(value)]
    if isinstance(value, bool):
        return ["b", str(value).upper()]
    if isinstance(value, int | float):
        text = str(int(value)) if float(value).is_integer() else repr(value)
        if ZEROS.fullmatch(cell.number_format):
            text = text.zfill(len(cell.number_format))  # as people see it: 01012345678
        return ["r" if len(text.strip("-")) > EXACT_DIGITS and "." not in text else "n", text]
    return ["s", str(value).strip()]


def _time_text(value: datetime.date | datetime.time | datetime.timedelta) -> str:
    midnight = not isinstance(value, datetime.datetime) or value.time() == datetime.time()
    return f"{value:%Y%m%d}" if isinstance(value, datetime.date) and midnight else str(value)


def _limit_resources() -> None:
    for kind, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    signal.signal(signal.SIGXCPU, _end_reading)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + LAST_SECONDS))


def _end_reading(*_signal: object) -> None:
    raise VerdictError("too_large")


if __name__ == "__main__":
    _limit_resources()
    gc.disable()  # collection takes a fifth of the time and frees nothing
    print(json.dumps(answer(sys.argv[1], sys.stdin.buffer, *map(int, sys.argv[2:]))))
