"""Prints the first sheet of a foreign xlsx file, cell by cell, as JSON.

It runs as a process of its own under the limits of `xlsx_probe`, whose checks come first. The answer is
`{"verdict": WORD}`, or `{"rows": [[number, [[kind, text], ...]], ...], "merged": [range, ...]}`. Rows and cells at an
end that are empty are left out. A cell's kind is one letter: `s` text, `n` number, `d` date, `f` formula, `e` error,
`r` a number that Excel has rounded. A day is written as YYYYMMDD.
"""

import datetime
import json
import re
import sys
import zipfile
from collections import Counter
from typing import Any, BinaryIO

from orders.attachments.xlsx_probe import (
    SPREADSHEET,
    Scan,
    VerdictError,
    check_package,
    has_macros,
    limit_resources,
    open_book,
    sheets_of,
    verdict_of,
)

STYLES = "xl/styles.xml"
MOST_LINES = 10_000  # of the sheet, empty ones too
MOST_COLUMNS = 100
MOST_CHARACTERS = 10_000_000  # of all cells: whoever asked holds them in memory
EXACT_DIGITS = 15  # Excel keeps no more of a number
MOST_STYLES = 4000  # of a kind: openpyxl makes an object of each, whether a cell has it or not
MOST_MERGED = 20  # as many as anybody wants to read
EMPTY = ["s", ""]
ZEROS = re.compile("0{2,15}")  # the format of a number that is shown with zeros in front


def read_sheet(file: BinaryIO, most: int) -> dict[str, Any]:
    """The first sheet of an open file, or the verdict on it. `most`: rows with data, the header among them."""
    try:
        with zipfile.ZipFile(file) as archive:
            if any(name.lower().endswith("vbaproject.bin") for name in archive.namelist()):
                raise VerdictError("macros")
        check_package(file)
        return _read(file, most)
    except Exception as error:
        return {"verdict": verdict_of(error)}


def _read(file: BinaryIO, most: int) -> dict[str, Any]:
    reader = open_book(file)
    if has_macros(reader):
        raise VerdictError("macros")
    if STYLES in reader.valid_files:
        FewStyles().read(reader.archive, STYLES)
    reader.read()
    if not reader.wb.worksheets:
        raise VerdictError("not_xlsx")
    sheet = reader.wb.worksheets[0]
    sheet.reset_dimensions()  # some programs write wrong ones
    rows, characters = [], 0
    for number, row in enumerate(sheet.iter_rows(), start=1):
        if number > MOST_LINES:
            raise VerdictError("rows")
        cells = _without_end([_cell(cell) for cell in row])
        if len(cells) > MOST_COLUMNS:
            raise VerdictError("columns")
        if cells:
            rows.append([number, cells])
        if len(rows) > most:
            raise VerdictError("rows")
        characters += sum(len(text) for _kind, text in cells)
        if characters > MOST_CHARACTERS:
            raise VerdictError("too_large")
    if not rows:
        raise VerdictError("empty")
    merged = MergedCells()
    merged.read(reader.archive, next(part for part in sheets_of(reader) if part in reader.valid_files))
    return {"rows": rows, "merged": merged.found}


def _without_end(cells: list[list[str]]) -> list[list[str]]:
    while cells and not cells[-1][1]:
        cells.pop()
    return cells


def _cell(cell: Any) -> list[str]:
    value = cell.value
    if value is None:
        return EMPTY
    if cell.data_type in {"f", "e"}:
        return [cell.data_type, str(getattr(value, "text", value))]
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return ["d", _moment(value)]
    if isinstance(value, bool):
        return ["b", str(value).upper()]
    if isinstance(value, int | float):
        text = str(int(value)) if float(value).is_integer() else repr(value)
        if ZEROS.fullmatch(cell.number_format):
            text = text.zfill(len(cell.number_format))  # as people see it: 01012345678
        return ["r" if len(text.strip("-")) > EXACT_DIGITS and "." not in text else "n", text]
    return ["s", str(value).strip()]


def _moment(value: datetime.date | datetime.time | datetime.timedelta) -> str:
    midnight = not isinstance(value, datetime.datetime) or value.time() == datetime.time()
    return f"{value:%Y%m%d}" if isinstance(value, datetime.date) and midnight else str(value)


class FewStyles(Scan):
    """Refuses a workbook with more than MOST_STYLES formats, fonts, fills, borders or named styles."""

    KINDS = {f"{SPREADSHEET} {tag}" for tag in ("xf", "font", "fill", "border", "cellStyle", "numFmt", "dxf")}

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in self.KINDS:
            self.counts[name] += 1
            if self.counts[name] > MOST_STYLES:
                raise VerdictError("styles")

    def text(self, text: str) -> None:
        """Styles have none."""


class MergedCells(Scan):
    """Finds the ranges of merged cells. openpyxl does not tell them when it only reads."""

    MERGED = f"{SPREADSHEET} mergeCell"

    def __init__(self) -> None:
        self.found: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == self.MERGED and len(self.found) < MOST_MERGED:
            self.found.append(attributes.get("ref", ""))

    def text(self, text: str) -> None:
        """Only attributes matter."""


def main() -> None:
    limit_resources()
    print(json.dumps(read_sheet(sys.stdin.buffer, int(sys.argv[1]))))
