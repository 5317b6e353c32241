"""Workbooks that we write: the template of trials, and a copy of what was uploaded with its faults marked."""

import io
from collections import defaultdict
from collections.abc import Iterable

from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.cell.cell import Cell as TextCell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from orders.services.office.trial_columns import (
    ATTRIBUTION,
    DOMAINS,
    SERVICE,
    Column,
    attributions,
    trial_columns,
)
from orders.services.office.trial_import import Report
from orders.services.office.trial_sheet import Fault, cell_name
from orders.services.office.workbook import MOST_ROWS, Cell, Sheet

BOLD, WRAPPED = Font(bold=True), Alignment(wrap_text=True, vertical="top")
RED, GREY = PatternFill("solid", fgColor="FFC7CE"), PatternFill("solid", fgColor="E7E6E6")
TEXT = "@"  # Excel then leaves long numbers and days as they are typed
AUTHOR = "IBS"
LONGEST_COMMENT = 2000


def write_template(letters: frozenset[str] | None, services: list[tuple[str, str]]) -> bytes:
    """The workbook to fill in. Its first sheet has the header, its second one explains each column.

    `letters` are the attributions of a limited person; None for all. `services`: the service types, code and name.
    """
    book, columns = Workbook(), list(trial_columns().values())
    choices = {SERVICE: services, ATTRIBUTION: attributions(letters)}
    book.active.title = _("Trials")
    _head_template(book.active, columns, choices)
    _explain(book.create_sheet(_("How to fill it in")), columns, choices)
    return _saved(book)


def _head_template(sheet: Worksheet, columns: list[Column], choices: dict[str, list[tuple[str, str]]]) -> None:
    for place, column in enumerate(columns):
        cell = sheet.cell(1, place + 1, f"{column.title}")
        cell.font, cell.fill = BOLD, GREY
        width = sheet.column_dimensions[get_column_letter(place + 1)]
        width.width, width.number_format = (40 if column.member == DOMAINS else 18), TEXT
        if known := choices.get(column.member):
            rule = DataValidation("list", formula1=f'"{",".join(code for code, _name in known)}"', allow_blank=True)
            rule.add(f"{cell_name(place, 2)}:{cell_name(place, MOST_ROWS + 1)}")
            sheet.add_data_validation(rule)
    sheet.freeze_panes = "A2"


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


def write_annotated(sheet: Sheet, report: Report) -> bytes:
    """A copy with each wrong cell in red, its fault in a comment, and all of a row's faults in a last column.

    Rows and columns keep their places. Every cell is text, so a formula stays as it is written and does nothing.
    """
    book = Workbook(write_only=True)
    copy = book.create_sheet(_("Trials"))
    marked, lines = _by_cell(report.all_faults), {row.row: row.faults for row in report.rows}
    rows, last = dict(sheet.rows), max(len(cells) for _number, cells in sheet.rows)
    top = sheet.rows[0][0]
    lines[top] = [*lines.get(top, []), *report.faults]
    for number in range(1, max(rows) + 1):
        cells = [*rows.get(number, []), *[Cell()] * (last - len(rows.get(number, [])))]
        made = [_marked(copy, cell.text, marked[cell_name(place, number)]) for place, cell in enumerate(cells)]
        copy.append([*made, _marked(copy, _said(lines.get(number, [])), [])])
    return _saved(book)


def _said(faults: Iterable[Fault]) -> str:
    return "\n".join(fault.words() for fault in faults)


def _by_cell(faults: Iterable[Fault]) -> defaultdict[str, list[Fault]]:
    found = defaultdict(list)
    for fault in faults:
        found[fault.cell].append(fault)
    return found


def _marked(sheet: Worksheet, text: str, faults: list[Fault]) -> TextCell:
    text = ILLEGAL_CHARACTERS_RE.sub("", text)  # openpyxl refuses them
    cell = WriteOnlyCell(sheet, text or None)
    cell.number_format = TEXT
    if text:
        cell.data_type = "s"  # a text that begins with = is no formula
    if faults:
        cell.fill = RED
        cell.comment = Comment(ILLEGAL_CHARACTERS_RE.sub("", _said(faults))[:LONGEST_COMMENT], AUTHOR)
    return cell


def _saved(book: Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
