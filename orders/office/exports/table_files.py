"""Writes tables to xlsx and csv files row by row, so that memory does not grow with the rows. The only side effect is
the file."""

import contextlib
import csv
import datetime
import itertools
import math
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from django.utils.translation import gettext as _
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from orders.lists.csv_and_xlsx_cells import Cell, clean, csv_cell

Notes = Callable[[int], Sequence[Sequence[Cell]]]
ROWS_PER_SHEET = 1_048_575  # Excel's 1,048,576 without the header
LONGEST_TITLE = 31
MEASURED = 200  # rows from which the widths of columns are computed
NARROWEST, WIDEST = 8, 60  # characters
FORMATS = {
    datetime.date: {"num_format": "yyyy-mm-dd"},
    datetime.datetime: {"num_format": "yyyy-mm-dd h:mm:ss"},
    str: {},
}
SHEETS = ".sheets"
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
    header is bold and has an autofilter. Columns are as wide as the values of the first rows.

    `notes` gets the number of rows written and returns the rows of a second sheet. Sheets are packed at the end. Until
    then they are in a folder next to `path`: `.export-1-1.xlsx.sheets`.
    """
    path.open("wb").close()  # fails before a million rows are read if the folder is not writable
    folder = path.with_name(f".{path.stem}{SHEETS}")
    folder.mkdir()
    try:
        book = Workbook(path, {"constant_memory": True, "tmpdir": str(folder), "use_zip64": True})
        _write_sheets(book, header, iter(rows), title=title, per_sheet=per_sheet, notes=notes)
        book.close()
    except FileCreateError as error:
        raise error.args[0] from None  # the error wraps an OSError but is no OSError
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_sheets(
    book: Workbook, header: Sequence[str], rows: Iterator, *, title: str, per_sheet: int, notes: Notes | None
) -> None:
    title = NOT_IN_A_TITLE.sub(" ", clean(title)).strip("' ")[: LONGEST_TITLE - 4] or "1"
    bold, formats = book.add_format({"bold": True}), {kind: book.add_format(how) for kind, how in FORMATS.items()}
    begin = list(itertools.islice(rows, MEASURED))
    rows, widths = itertools.chain(begin, rows), _widths([header, *begin])
    explained, written = None, 0
    for number in itertools.count(1):
        first = list(itertools.islice(rows, 1))
        if number > 1 and not first:
            break
        sheet = _new_sheet(book, title if number == 1 else f"{title} {number}", widths)
        if number == 1 and notes:
            explained = _new_sheet(book, _("Explanation"))
        sheet.set_row(0, None, bold)
        _write_row(sheet, 0, header, formats)
        line = 0
        for line, row in enumerate(itertools.islice(itertools.chain(first, rows), per_sheet), 1):
            _write_row(sheet, line, row, formats)
        sheet.autofilter(0, 0, line, len(header) - 1)
        written += line
    if notes and explained:
        lines = notes(written)
        _set_widths(explained, _widths(lines), bold)
        for line, row in enumerate(lines):
            _write_row(explained, line, row, formats)


def _new_sheet(book: Workbook, title: str, widths: Sequence[int] = ()) -> Worksheet:
    sheet = book.add_worksheet(title)
    sheet.freeze_panes(1, 0)
    _set_widths(sheet, widths)
    return sheet


def _set_widths(sheet: Worksheet, widths: Sequence[int], *first: Format) -> None:
    for place, width in enumerate(widths):
        sheet.set_column(place, place, width, *(first if place == 0 else ()))


def _write_row(sheet: Worksheet, line: int, row: Sequence[Cell], formats: dict[type, Format]) -> None:
    """Writes text as text: no formula, link or number. XlsxWriter treats text that starts with `<r>` as its own
    markup."""
    for place, value in enumerate(row):
        if isinstance(value, str):
            text = clean(value).replace("\r\n", "\n").replace("\r", "\n")  # as XML parsers do
            if text.startswith("<r>"):
                sheet.write_rich_string(line, place, text[:1], formats[str], text[1:])
            else:
                sheet.write_string(line, place, text)
        elif isinstance(value, datetime.date):
            sheet.write_datetime(line, place, value, formats[type(value)])
        elif value is not None:
            sheet.write_number(line, place, value)


def _widths(rows: Sequence[Sequence[Cell]]) -> list[int]:
    columns = itertools.zip_longest(*rows)
    return [min(max(map(_width, column)) + 3, WIDEST) if any(column) else NARROWEST for column in columns]


def _width(value: Cell) -> int:
    """Returns a width in characters. Chinese characters count twice. Days and times are as wide as their texts."""
    text = "" if value is None else str(value)[:WIDEST]
    kinds = [*map(unicodedata.east_asian_width, text)]
    return max(len(kinds) + kinds.count("W") + kinds.count("F"), NARROWEST - 3)


def write_csv(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]], *, title: str = "", notes: Notes | None = None
) -> None:
    """Writes UTF-8 with the BOM that Excel needs. Text that looks like a formula gets an apostrophe. `notes` is
    ignored."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        lines = csv.writer(file)
        lines.writerow([csv_cell(word) for word in header])
        lines.writerows([csv_cell(value) for value in row] for row in rows)


def remove_left(paths: Iterable[Path], *, before: float = math.inf) -> None:
    """Removes the files and folders of sheets that dead processes have left. `before`: removes only those last modified
    before this time."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # its writer renamed or removed the file meanwhile
            if path.stat().st_mtime < before:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


WRITERS: dict[str, Callable[..., None]] = {"xlsx": write_xlsx, "csv": write_csv}
"""{format, which is also the file's suffix: its writer}."""
