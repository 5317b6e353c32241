"""Opens a foreign xlsx file and prints one word about it: right, too_large, not_xlsx, encrypted or empty.

It runs as a process of its own (`python -I orders/attachments/xlsx_probe.py < FILE`). The file may be hostile, and
whatever it does then happens to no worker. The process needs no Django. Its limits are 10 s of processor time, 300 MiB
of address space (Python with openpyxl takes 33 MiB), no writing, and only a handful of open files. If a limit kills it,
the verdict is too_large.

openpyxl opens the package (its XML through defusedxml). The rows and the shared strings may be a hundred MiB of XML, so
expat reads them here instead. openpyxl needs 5 s for a million empty rows and keeps every shared string in memory; this
takes half a second and hardly any memory.
"""

import copy
import resource
import sys
import zipfile
from typing import BinaryIO
from xml.parsers import expat

from openpyxl.reader.excel import ExcelReader

CPU_SECONDS = 10
MEMORY = 300 * 1024 * 1024
UNPACKED = 100 * 1024 * 1024
ENTRIES = 5000
CHUNK = 64 * 1024
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # what the format allows
LOCKED = 0x1 | 0x40 | 0x2000  # encrypted, strongly encrypted, hidden names
MACROS = ("macroenabled", "vbaproject", "macrosheet")
SHARED_STRINGS = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


class VerdictError(Exception):
    """Ends the check of a file. It carries the verdict."""


class _StopReadingError(Exception):
    """Two rows have data, so reading on is pointless."""


def judge(file: BinaryIO) -> str:
    """The verdict on an open file (seekable, at its beginning)."""
    try:
        check_package(file)
        return "right" if _has_data(file) else "empty"
    except Exception as error:
        return verdict_of(error)


def verdict_of(error: Exception) -> str:
    """What an exception says about the file: a hostile one may break openpyxl in any way, and then does not open."""
    if isinstance(error, VerdictError):
        return str(error)
    no_memory = expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]
    if isinstance(error, MemoryError) or isinstance(error, expat.ExpatError) and error.code == no_memory:
        return "too_large"
    return "not_xlsx"


def check_package(file: BinaryIO) -> None:
    """Checks the zip without reading a part of it as XML. Raises VerdictError, and others for what is no zip."""
    with zipfile.ZipFile(file) as archive:
        _check_entries(archive.infolist())
        _check_sizes(archive)


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    """Checks the zip's directory without unpacking anything.

    No rule limits how well an entry is packed: a million empty rows pack 500:1 and do no harm.
    """
    names = [entry.filename for entry in entries]
    if len(entries) > ENTRIES:
        raise VerdictError("too_large")
    if any(entry.flag_bits & LOCKED for entry in entries):
        raise VerdictError("encrypted")
    if sum(entry.file_size for entry in entries) > UNPACKED:
        raise VerdictError("too_large")
    if "[Content_Types].xml" not in names or len(set(names)) < len(names):
        raise VerdictError("not_xlsx")
    if any(entry.compress_type not in METHODS for entry in entries):
        raise VerdictError("not_xlsx")
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        raise VerdictError("not_xlsx")


def _check_sizes(archive: zipfile.ZipFile) -> None:
    """Unpacks every entry once and keeps nothing.

    The directory may lie about sizes, and the checksums must be right.
    """
    total = 0
    for entry in archive.infolist():
        size = _true_size(archive, entry, UNPACKED - total)
        total += size
        if size != entry.file_size or total > UNPACKED:
            raise VerdictError("too_large")


def _true_size(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> int:
    """The real unpacked size of an entry. Stops soon after `limit`."""
    boundless = copy.copy(entry)
    boundless.file_size = UNPACKED * 2  # otherwise zipfile stops reading at the size in the directory
    size = 0
    with archive.open(boundless) as source:
        while size <= limit and (chunk := source.read(CHUNK)):
            size += len(chunk)
    return size


def _has_data(file: BinaryIO) -> bool:
    """Whether a second row of the first sheet has data."""
    reader = open_book(file)
    if has_macros(reader):
        raise VerdictError("not_xlsx")
    reader.read_workbook()
    sheets = sheets_of(reader)
    if not sheets:
        raise VerdictError("not_xlsx")
    strings = reader.package.find(SHARED_STRINGS)
    blank = BlankStrings()
    if strings is not None:
        blank.read(reader.archive, strings.PartName.lstrip("/"))
    rows = FilledRows(blank.found)
    rows.read(reader.archive, sheets[0])
    return rows.count > 1


def open_book(file: BinaryIO) -> ExcelReader:
    """A workbook of which nothing but the list of its parts is read."""
    reader = ExcelReader(file, read_only=True, keep_links=False)  # does not read or follow links to other files
    reader.read_manifest()
    return reader


def sheets_of(reader: ExcelReader) -> list[str]:
    """The parts of the package that hold tables, as the workbook lists them."""
    return [relation.target for _, relation in reader.parser.find_sheets() if "chartsheet" not in relation.Type]


def has_macros(reader: ExcelReader) -> bool:
    """Whether the package, whose manifest was read, says that it holds macros."""
    types = [part.ContentType.lower() for part in (*reader.package.Override, *reader.package.Default)]
    return any(word in kind for kind in types for word in MACROS)


class Scan:
    """Reads one part of the package in pieces, without keeping a tree."""

    def read(self, archive: zipfile.ZipFile, part: str) -> None:
        """Feeds the part to the handlers.

        A document type is refused: entity bombs begin with one, and the format has none.
        """
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler, parser.CharacterDataHandler = self.start, self.text
        parser.StartDoctypeDeclHandler = _refuse_doctype
        try:
            with archive.open(part) as source:
                while chunk := source.read(CHUNK):
                    parser.Parse(chunk)
            parser.Parse(b"", True)
            self.finish()
        except _StopReadingError:
            pass

    def finish(self) -> None:
        """Runs at the end of the part."""


def _refuse_doctype(*declaration: object) -> None:
    raise VerdictError("not_xlsx")


class BlankStrings(Scan):
    """Finds the shared strings that are empty or blank. A cell that shows one has no data."""

    ITEM, TEXT = f"{SPREADSHEET} si", f"{SPREADSHEET} t"

    def __init__(self) -> None:
        self.found: set[int] = set()
        self.number = -1
        self.within = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.within = name == self.TEXT
        if name == self.ITEM:
            self.number += 1
            self.found.add(self.number)

    def text(self, text: str) -> None:
        if self.within and not text.isspace():
            self.found.discard(self.number)
            self.within = False


class FilledRows(Scan):
    """Counts a sheet's rows with data, up to two."""

    ROW, CELL = f"{SPREADSHEET} row", f"{SPREADSHEET} c"
    VALUES = {f"{SPREADSHEET} {tag}" for tag in ("v", "t", "f")}  # value, inline text, formula

    def __init__(self, blank: set[int]) -> None:
        self.blank = blank
        self.count = 0
        self.fresh = False  # in a row that has not been counted yet
        self.within = False
        self.shared = False
        self.digits = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self.digits:
            self._look_up()
        self.within = name in self.VALUES
        if name == self.CELL:
            self.shared = attributes.get("t") == "s"  # the value is the number of a shared string
        elif name == self.ROW:
            self.fresh, self.shared = True, False

    def text(self, text: str) -> None:
        if not self.within or not self.fresh or text.isspace():
            return
        if self.shared:
            self.digits += text  # a number may come in pieces
        else:
            self._count()

    def finish(self) -> None:
        if self.digits:
            self._look_up()

    def _look_up(self) -> None:
        digits, self.digits = self.digits, ""
        if int(digits) not in self.blank:
            self._count()

    def _count(self) -> None:
        self.count += 1
        self.fresh = False
        if self.count > 1:
            raise _StopReadingError


def limit_resources() -> None:
    """Sets the limits of this process. They can't be lifted again."""
    for kind, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    limit_resources()
    print(judge(sys.stdin.buffer))
