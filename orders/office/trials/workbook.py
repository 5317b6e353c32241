"""Reads the first sheet of a workbook that somebody uploaded. It may be hostile, so a process with limits opens it."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from openpyxl.utils.cell import coordinate_to_tuple

from orders.attachments.xlsx_cells import MOST_COLUMNS, MOST_LINES, MOST_STYLES
from orders.errors import WorkbookError

MOST_BYTES = 5 * 1024 * 1024
MOST_ROWS = 500
"""Rows with data below the header. One transaction takes them all, and BBOSS's messages wait for it on SQLite."""
SECONDS = 5  # a thread of the web waits so long at most
READ = "import sys; sys.path.insert(0, sys.argv.pop(1)); from orders.attachments.xlsx_cells import main; main()"
ROOT = Path(__file__).resolve().parents[3]
ZIP, CFB = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class Cell:
    """A cell. `kind` is one letter (`orders/attachments/xlsx_cells.py`); `text` has no blanks around it."""

    kind: str = "s"
    text: str = ""


@dataclass(frozen=True)
class Sheet:
    """A sheet's rows with data, each with its number from 1, and the ranges of merged cells."""

    rows: list[tuple[int, list[Cell]]]
    merged: list[str]


def put_right(sheet: Sheet, texts: dict[str, str]) -> Sheet:
    """The sheet with these texts in its cells, `{"C5": text}`. Only rows with data have cells."""
    rows = {number: list(cells) for number, cells in sheet.rows}
    for name, text in texts.items():
        number, column = coordinate_to_tuple(name)
        if number in rows:
            rows[number] += [Cell()] * (column - len(rows[number]))
            rows[number][column - 1] = Cell(text=text.strip())
    return Sheet(rows=list(rows.items()), merged=sheet.merged)


def read_workbook(data: bytes) -> Sheet:
    """The first sheet of an xlsx file. Raises WorkbookError, whose code says why it can't be taken as a whole."""
    if len(data) > MOST_BYTES:
        raise WorkbookError("book_size", most=MOST_BYTES // 1024 // 1024)
    if data.startswith(CFB):
        raise WorkbookError("book_encrypted")
    if not data.startswith(ZIP):
        raise WorkbookError("book_not_xlsx")
    found = read_apart(data)
    if "verdict" in found:
        most = {"rows": MOST_ROWS, "lines": MOST_LINES, "columns": MOST_COLUMNS, "styles": MOST_STYLES}
        raise WorkbookError(f"book_{found['verdict']}", **most)
    rows = [(number, [Cell(*cell) for cell in cells]) for number, cells in found["rows"]]
    if len(rows) == 1:
        raise WorkbookError("book_empty")
    return Sheet(rows=rows, merged=found["merged"])


def read_apart(data: bytes) -> dict:
    """Reads the file in a process that is isolated: it has no environment, which holds secrets."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        try:
            ended = subprocess.run(
                [sys.executable, "-I", "-W", "ignore", "-c", READ, str(ROOT), str(MOST_ROWS + 1)],
                stdin=file, capture_output=True, text=True, timeout=SECONDS, check=False,
                env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"verdict": "too_large"}
    if ended.returncode < 0 or ended.stderr.endswith("MemoryError\n"):  # the kernel ended it, or gave it no more
        return {"verdict": "too_large"}
    return json.loads(ended.stdout) if ended.returncode == 0 else {"verdict": "not_xlsx"}
