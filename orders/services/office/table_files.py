"""Writes tables to xlsx and csv files, row by row: memory does not grow with the rows. Pure but for the file.

A cell is None, text, a number, a bool, a date, or a datetime of Asia/Shanghai without a zone.
"""

import contextlib
import csv
import datetime
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils import get_column_letter
from openpyxl.worksheet import _writer

Cell = None | str | int | float | bool | datetime.date | datetime.datetime
ROWS_PER_SHEET = 1_048_575  # Excel's 1,048,576 without the header
LONGEST_TEXT = 32_767  # Excel's limit for a cell, in UTF-16 units
LONGEST_TITLE = 31
COLUMN_WIDTH = 20  # characters: an order's number and a time fit
# Characters that XML can't hold, and halves of surrogate pairs, which no encoding can.
ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
NOT_IN_A_TITLE = re.compile(r"[\[\]:*?/\\]")
FORMULA = ("=", "+", "-", "@")
"""A spreadsheet takes a text that begins so for a formula, which could send data away or start programs."""


def clean(text: str) -> str:
    """The text as any cell can hold it: illegal characters replaced, cut to LONGEST_TEXT."""
    text = ILLEGAL.sub("\ufffd", text)
    if len(text) * 2 <= LONGEST_TEXT or len(text.encode("utf-16-le")) <= LONGEST_TEXT * 2:
        return text
    return text.encode("utf-16-le")[: (LONGEST_TEXT - 1) * 2].decode("utf-16-le", "ignore") + "…"


def write_xlsx(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]], *, title: str, per_sheet: int = ROWS_PER_SHEET
) -> None:
    """Writes a workbook, with the header at the top of each sheet and a further sheet every `per_sheet` rows.

    Sheets are packed at the end. Until then they lie beside `path`: `export-1-1.xlsx.sheet1.part`.
    """
    path.open("wb").close()  # a folder that can't be written is told before a million rows are read
    book = Workbook(write_only=True)
    title = NOT_IN_A_TITLE.sub(" ", clean(title)).strip("' ")[: LONGEST_TITLE - 4] or "1"
    rows = iter(rows)
    try:
        for number in itertools.count(1):
            first = next(rows, None)
            if first is None and number > 1:
                break
            sheet = book.create_sheet(title if number == 1 else f"{title} {number}")
            sheet.freeze_panes = "A2"
            for place in range(1, len(header) + 1):
                sheet.column_dimensions[get_column_letter(place)].width = COLUMN_WIDTH
            _begin_sheet(sheet, path.with_name(f"{path.stem}.sheet{number}{path.suffix}"))
            sheet.append([_xlsx_cell(sheet, word) for word in header])
            for row in itertools.islice(itertools.chain([] if first is None else [first], rows), per_sheet):
                sheet.append([_xlsx_cell(sheet, value) for value in row])
        book.save(path)
    except BaseException:
        _drop_parts(book)
        raise


def _begin_sheet(sheet, out: Path) -> None:
    """Does what the sheet's first row would do, which would put the temporary file into the machine's folder."""
    _writer.ALL_TEMP_FILES.append(str(out))  # from here openpyxl removes the file, at the latest when the process ends
    sheet._writer = _writer.WorksheetWriter(sheet, out=str(out))
    sheet._writer.write_top()


def _xlsx_cell(sheet, value: Cell):
    """What openpyxl writes as it is. A text that it would take for a formula or an error becomes a cell of text."""
    if not isinstance(value, str):
        return value
    text = clean(value)
    if not text.startswith(("=", "#")):
        return text
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    return cell


def _drop_parts(book: Workbook) -> None:
    """Removes the temporary files of sheets, which openpyxl would keep until the process ends."""
    for sheet in book.worksheets:
        with contextlib.suppress(Exception):  # the first error counts, such as a full disk
            sheet.close()
        if sheet._writer and Path(sheet._writer.out).exists():
            sheet._writer.cleanup()


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]], *, title: str = "") -> None:
    """Writes UTF-8 with the mark by which Excel knows it. A text that looks like a formula gets an apostrophe."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        lines = csv.writer(file)
        lines.writerow([_csv_cell(word) for word in header])
        lines.writerows([_csv_cell(value) for value in row] for row in rows)


def _csv_cell(value: Cell) -> Cell:
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "seconds")
    if not isinstance(value, str):
        return value
    text = clean(value)
    return f"'{text}" if _looks_like_formula(value) else text


def _looks_like_formula(text: str) -> bool:
    """Whether a spreadsheet may take the text for a formula: some skip what can't be seen, or know full width signs."""
    first = next((one for one in text if unicodedata.category(one)[0] not in "ZC"), "")
    return unicodedata.normalize("NFKC", first).startswith(FORMULA)


WRITERS: dict[str, Callable[..., None]] = {"xlsx": write_xlsx, "csv": write_csv}
"""By format, which is also the file's suffix."""
