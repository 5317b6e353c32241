"""Writes workbooks: the template of trials, and a copy of an upload with its faults marked."""

import contextlib
import datetime
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.cell.cell import Cell as TextCell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from orders.office.trials.columns import (
    ATTRIBUTION,
    DOMAINS,
    SERVICE,
    Column,
    attributions,
    coded_choices,
    trial_columns,
)
from orders.office.trials.enter_trials import Report
from orders.office.trials.sheet import REMARKS, Fault, cell_name, column_of, is_remarks
from orders.office.trials.workbook import MAX_ROWS, Cell, Sheet

BOLD, WRAPPED = Font(bold=True), Alignment(wrap_text=True, vertical="top")
RED, GREY = PatternFill("solid", fgColor="FFC7CE"), PatternFill("solid", fgColor="E7E6E6")
TEXT = "@"  # so that Excel does not convert long numbers and dates
AUTHOR = "IBS"
AS_IT_IS: dict[str, Callable[[str], Any]] = {
    "cell_rounded": float,
    "cell_boolean": lambda text: text == "TRUE",
    "cell_error": str,
    "cell_made_a_day": lambda text: _time_of_text(text),
}
"""{code of a fault: function that converts the text} for cells that would become valid as texts."""
LONGEST_COMMENT = 2000


def write_template(letters: frozenset[str] | None, services: list[tuple[str, str]]) -> bytes:
    """Returns the template, with a sheet that explains each column. `letters`: a limited user's attributions, or None
    for all."""
    book, columns, choices = Workbook(), list(trial_columns().values()), _choices(letters, services)
    for place, column in enumerate(columns):
        _head(book.active.cell(1, place + 1, column.title))
    _form(book, columns, 1, choices)
    return _saved(book)


def _choices(letters: frozenset[str] | None, services: list[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    return {**coded_choices(), SERVICE: services, ATTRIBUTION: attributions(letters)}


def _form(
    book: Workbook, columns: Sequence[Column | None], top: int, choices: dict[str, list[tuple[str, str]]]
) -> None:
    """Adds formats and choices to the first sheet, which has its header in the row `top`. Then writes the second
    sheet."""
    sheet = book.active
    sheet.title = _("Trials")
    for place, column in enumerate(columns):
        width = sheet.column_dimensions[get_column_letter(place + 1)]
        width.width, width.number_format = (40 if column and column.member == DOMAINS else 18), TEXT
        if column and (known := choices.get(column.member)):
            rule = DataValidation("list", formula1=f'"{",".join(code for code, _name in known)}"', allow_blank=True)
            rule.add(f"{cell_name(place, top + 1)}:{cell_name(place, top + MAX_ROWS)}")
            sheet.add_data_validation(rule)
    sheet.freeze_panes = f"A{top + 1}"
    _explain(book.create_sheet(_("How to fill it in")), list(trial_columns().values()), choices)


def _head(cell: TextCell) -> None:
    cell.font, cell.fill = BOLD, GREY


def _explain(sheet: Worksheet, columns: list[Column], choices: dict[str, list[tuple[str, str]]]) -> None:
    sheet.append([_("Column"), _("BBOSS's name"), _("Required"), _("Example"), _("What is right")])
    for column in columns:
        required = _("Yes") if column.required else _("No")
        sheet.append([column.title, column.member, required, column.example, column.hint])
    for member, known in choices.items():
        sheet.append([])
        sheet.append([trial_columns()[member].title])
        for pair in known:
            sheet.append(pair)
    for row in sheet.iter_rows():
        for cell in row:
            cell.alignment, cell.number_format = WRAPPED, TEXT
            if cell.value is not None:
                cell.data_type = "s"  # a province may be called =1+1
    for letter, width in zip("ABCDE", (18, 18, 8, 28, 60), strict=True):
        sheet.column_dimensions[letter].width = width
    for cell in sheet[1]:
        cell.font = BOLD


def write_annotated(
    sheet: Sheet, report: Report, *, letters: frozenset[str] | None, services: list[tuple[str, str]]
) -> bytes:
    """Returns a copy with each wrong cell in red, its fault in a comment, and all faults of a row in a separate column.

    The copy can be corrected and uploaded. Rows and columns keep their positions, the layout is the same as in the
    template, and the column of faults is not read. Valid cells become text. Wrong cells keep their type, since they
    would look valid as text. Only formulas become text too, so that they are not evaluated. `letters` and `services`:
    as in `write_template`.
    """
    book = Workbook()
    marked, lines = defaultdict(list), {row.row: row.faults for row in report.rows}
    for fault in report.all_faults:
        marked[fault.cell].append(fault)
    top, header = sheet.rows[0]
    lines[top] = [*lines.get(top, []), *report.faults]
    titles = [cell.text for cell in header]
    ours = next((place for place, title in enumerate(titles) if is_remarks(title)), None)
    ours = max(len(cells) for _number, cells in sheet.rows) if ours is None else ours
    for number, cells in sheet.rows:
        for place, cell in enumerate(cells):
            if place != ours:
                _copy(book.active.cell(number, place + 1), cell, marked[cell_name(place, number)])
        _copy(book.active.cell(number, ours + 1), Cell(text=_fault_words(lines.get(number, []))), [])
    remarks = book.active.cell(top, ours + 1)
    remarks.value = "\n".join(filter(None, [str(REMARKS), remarks.value])) if report.faults else str(REMARKS)
    for cell in book.active[top]:
        if cell.fill != RED:
            _head(cell)
    _form(book, [column_of(title) for title in titles], top, _choices(letters, services))
    return _saved(book)


def _fault_words(faults: Iterable[Fault]) -> str:
    return "\n".join(fault.words() for fault in faults)


def _copy(copy: TextCell, cell: Cell, faults: list[Fault]) -> None:
    copy.number_format = TEXT
    text = ILLEGAL_CHARACTERS_RE.sub("", cell.text)  # openpyxl refuses them
    stays = next((AS_IT_IS[one.code] for one in faults if one.code in AS_IT_IS), None)
    if stays:
        copy.number_format = "General"
        copy.value = stays(text)
    elif text:
        copy.value, copy.data_type = text, "s"  # not a formula, even if it begins with =
    if faults:
        copy.fill = RED
        copy.comment = Comment(ILLEGAL_CHARACTERS_RE.sub("", _fault_words(faults))[:LONGEST_COMMENT], AUTHOR)


def _time_of_text(text: str) -> datetime.date | datetime.time | str:
    """Returns the day or time of a cell that Excel converted to a date, from its text (orders/attachments/xlsx.py)."""
    for read in (datetime.datetime.fromisoformat, datetime.time.fromisoformat):
        with contextlib.suppress(ValueError):
            return read(text)
    return text


def _saved(book: Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
