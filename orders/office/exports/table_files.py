"""Writes tables to xlsx and csv files, row by row: memory does not grow with the rows. Pure but for the file."""

import contextlib
import csv
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet import _writer

from orders.lists.plain_cells import Cell, clean, csv_cell

Notes = Callable[[int], Sequence[Sequence[Cell]]]
ROWS_PER_SHEET = 1_048_575  # Excel's 1,048,576 without the header
LONGEST_TITLE = 31
MEASURED = 200  # rows from which the widths of columns are taken
NARROWEST, WIDEST = 8, 60  # characters
NOT_IN_A_TITLE = re.compile(r"[\[\]:*?/\\]")


def write_xlsx(
    path: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    title: str,
    per_sheet: int = ROWS_PER_SHEET,
    notes: Notes | None = None,
) -> None:
    """Writes a workbook, with the header at the top of each sheet and a further sheet every `per_sheet` rows. The
    header is bold and filters the rows; columns are as wide as what the first rows hold.

    `notes` gives the rows of a sheet of its own, the second, from the number of rows that were written. Sheets are
    packed at the end. Until then they lie beside `path`: `export-1-1.xlsx.sheet1.part`.
    """
    path.open("wb").close()  # a folder that can't be written is told before a million rows are read
    book = Workbook(write_only=True)
    title = NOT_IN_A_TITLE.sub(" ", clean(title)).strip("' ")[: LONGEST_TITLE - 4] or "1"
    rows, written = iter(rows), 0
    try:
        begin = list(itertools.islice(rows, MEASURED))
        widths = _widths([header, *begin])
        rows = itertools.chain(begin, rows)
        for number in itertools.count(1):
            first = next(rows, None)
            if first is None and number > 1:
                break
            sheet = _new_sheet(book, title if number == 1 else f"{title} {number}", widths, _part(path, number))
            sheet.append([_bold(sheet, word) for word in header])
            lines = 1
            for row in itertools.islice(itertools.chain([] if first is None else [first], rows), per_sheet):
                sheet.append([_xlsx_cell(sheet, value) for value in row])
                lines += 1
            sheet.auto_filter.ref = f"A1:{get_column_letter(len(header) or 1)}{lines}"
            written += lines - 1
        if notes:
            _write_notes(book, path, notes(written))
        book.save(path)
    except BaseException:
        _drop_parts(book)
        raise


def _part(path: Path, name: object) -> Path:
    return path.with_name(f"{path.stem}.sheet{name}{path.suffix}")


def _new_sheet(book: Workbook, title: str, widths: Sequence[int], out: Path, *, index: int | None = None):
    sheet = book.create_sheet(title, index)
    sheet.freeze_panes = "A2"
    for place, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(place)].width = width
    _begin_sheet(sheet, out)
    return sheet


def _write_notes(book: Workbook, path: Path, rows: Sequence[Sequence[Cell]]) -> None:
    sheet = _new_sheet(book, _("Explanation"), _widths(rows), _part(path, "-notes"), index=1)
    for first, *rest in rows:
        sheet.append([_bold(sheet, first), *(_xlsx_cell(sheet, value) for value in rest)])


def _widths(rows: Sequence[Sequence[Cell]]) -> list[int]:
    columns = itertools.zip_longest(*rows)
    return [min(max(map(_width, column)) + 3, WIDEST) if any(column) else NARROWEST for column in columns]


def _width(value: Cell) -> int:
    """Chinese characters are twice as wide. Days and times are as wide as their texts."""
    text = "" if value is None else str(value)[:WIDEST]
    return max(sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text), NARROWEST - 3)


def _bold(sheet, value: Cell):
    cell = WriteOnlyCell(sheet, clean(value) if isinstance(value, str) else value)
    if isinstance(value, str):
        cell.data_type = "s"
    cell.font = Font(bold=True)
    return cell


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


def write_csv(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]], *, title: str = "", notes: Notes | None = None
) -> None:
    """Writes UTF-8 with the mark by which Excel knows it. A text that looks like a formula gets an apostrophe. Notes
    have no place here."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        lines = csv.writer(file)
        lines.writerow([csv_cell(word) for word in header])
        lines.writerows([csv_cell(value) for value in row] for row in rows)


WRITERS: dict[str, Callable[..., None]] = {"xlsx": write_xlsx, "csv": write_csv}
"""By format, which is also the file's suffix."""
