"""Reads the first sheet of an uploaded workbook, in a process with limits, since the file may be hostile."""

import tempfile
from dataclasses import dataclass

from openpyxl.utils.cell import coordinate_to_tuple

from orders.attachments.xlsx import MAX_COLUMNS, MAX_LINES, MAX_STYLES, ProbeError, ask
from orders.texts.errors import WorkbookError

MAX_BYTES = 5 * 1024 * 1024
MAX_ROWS = 500
"""Rows with data below the header. All are entered in one transaction, for which BBOSS's messages wait on SQLite."""
SECONDS = 5  # the longest wait of a web server's thread
ZIP, CFB = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class Cell:
    """A cell. `kind` is one letter (`orders/attachments/xlsx.py`). `text` has no blanks around it."""

    kind: str = "s"
    text: str = ""


@dataclass(frozen=True)
class Sheet:
    """A sheet's rows with data, each with its number from 1, and the ranges of merged cells."""

    rows: list[tuple[int, list[Cell]]]
    merged: list[str]


def put_right(sheet: Sheet, texts: dict[str, str]) -> Sheet:
    """Returns the sheet with these texts in its cells, `{"C5": text}`. Only rows with data have cells."""
    rows = {number: list(cells) for number, cells in sheet.rows}
    for name, text in texts.items():
        number, column = coordinate_to_tuple(name)
        if number in rows:
            rows[number] += [Cell()] * (column - len(rows[number]))
            rows[number][column - 1] = Cell(text=text.strip())
    return Sheet(rows=list(rows.items()), merged=sheet.merged)


def read_workbook(data: bytes) -> Sheet:
    """Returns the first sheet of an xlsx file. Raises WorkbookError, with a code for the reason, if it can't be
    used."""
    if len(data) > MAX_BYTES:
        raise WorkbookError("book_size", most=MAX_BYTES // 1024 // 1024)
    if data.startswith(CFB):
        raise WorkbookError("book_encrypted")
    if not data.startswith(ZIP):
        raise WorkbookError("book_not_xlsx")
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        try:
            found = ask("cells", file, MAX_ROWS + 1, seconds=SECONDS)
        except ProbeError:
            found = {"verdict": "unchecked"}
    if "verdict" in found:
        most = {"rows": MAX_ROWS, "lines": MAX_LINES, "columns": MAX_COLUMNS, "styles": MAX_STYLES}
        raise WorkbookError(f"book_{found['verdict']}", **most)
    rows = [(number, [Cell(*cell) for cell in cells]) for number, cells in found["rows"]]
    if len(rows) == 1:
        raise WorkbookError("book_empty")
    return Sheet(rows=rows, merged=found["merged"])
