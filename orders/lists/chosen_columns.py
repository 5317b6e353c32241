"""The columns of a list: the columns in its URL (`columns=number,state_chip`), otherwise the defaults.

Users can choose columns only in exportable lists, from the columns of the export. The column that links to the row's
page can't be removed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.options import ModelAdmin
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.http import QueryDict
from django.utils.text import capfirst

from orders.lists.cells import cut
from orders.lists.csv_and_xlsx_cells import Cell, as_number, field_value, plain
from orders.lists.list_query import COLUMNS, names_in
from orders.lists.registration import list_of

LAST_DAY = "trial_end"
"""The column with a trial's last day. Sorted by it, the list has only trials with a last day."""


@dataclass(frozen=True)
class Column:
    """A column of a list. `personal` columns are masked unless personal data is requested."""

    name: str
    label: str
    read: Callable[[Any], Any]
    mask: Callable[[str], str] | None = None
    shown: bool = True  # shown by default; users can add other columns
    number: bool = False  # files store its text as a number

    @property
    def personal(self) -> bool:
        return self.mask is not None

    def cell(self, row: Model, *, open_personal: bool) -> Cell:
        value = self.read(row)
        if self.number:
            return as_number(plain(value))
        if self.mask is None or open_personal:
            return plain(value)
        texts = value if isinstance(value, list) else [value]
        return plain([self.mask(str(text)) for text in texts if text])


@dataclass(frozen=True)
class Choice:
    name: str
    label: str
    shown: bool
    fixed: bool  # can't be removed


def columns_of(model_admin: ModelAdmin) -> dict[str, Column]:
    """Returns all columns that can be chosen, the default columns first.

    A ModelAdmin may set `export_fields` (additional columns), `personal_columns` ({additional column: its mask}) and
    `number_columns` (columns with a text that files store as a number).
    """
    shown, personal = list(model_admin.list_display), getattr(model_admin, "personal_columns", {})
    return {
        name: Column(
            name,
            label_of(model_admin, name),
            _reader(model_admin, name),
            personal.get(name),
            name in shown,
            name in getattr(model_admin, "number_columns", ()),
        )
        for name in _names(model_admin)
    }


def _names(model_admin: ModelAdmin) -> list[str]:
    more, personal = getattr(model_admin, "export_fields", ()), getattr(model_admin, "personal_columns", ())
    return [*model_admin.list_display, *more, *personal]


def label_of(model_admin: ModelAdmin, name: str) -> str:
    return str(capfirst(label_for_field(name, model_admin.model, model_admin)))


def _reader(model_admin: ModelAdmin, name: str) -> Callable[[Any], Any]:
    try:
        model_admin.opts.get_field(name)
    except FieldDoesNotExist:
        found = getattr(model_admin, name)
        return getattr(found, "value", found)
    return lambda row: field_value(row, name)


def can_choose(model_admin: ModelAdmin) -> bool:
    return list_of(model_admin.model) is not None


def leading(model_admin: ModelAdmin) -> str:
    return [*(model_admin.list_display_links or ()), *model_admin.list_display][0]


def chosen(model_admin: ModelAdmin, named: Sequence[str]) -> list[str]:
    """Returns the existing columns in `named`, with the link column. Returns [] if these are the default columns."""
    known = _names(model_admin)
    found = [name for name in dict.fromkeys(named) if name in known]
    lead = leading(model_admin)
    found = found if not found or lead in found else [lead, *found]
    return [] if found == list(model_admin.list_display) else found


def tidy_columns(model_admin: ModelAdmin, query: QueryDict) -> list[str]:
    """Normalises `columns` in the query. Returns the unknown names."""
    if COLUMNS not in query:
        return []
    named, known = names_in(",".join(query.getlist(COLUMNS))), _names(model_admin)
    if found := chosen(model_admin, named):
        query[COLUMNS] = ",".join(found)
    else:
        del query[COLUMNS]
    return [name for name in named if name not in known]


def shown_names(model_admin: ModelAdmin, named: Sequence[str]) -> list[str]:
    """Returns the chosen columns or the defaults. Files have these columns, and positions in old URLs count them."""
    return chosen(model_admin, named) or list(model_admin.list_display)


def on_page(model_admin: ModelAdmin, named: Sequence[str]) -> list[str | Callable]:
    """Returns the page's `list_display`. Personal data is always masked.

    A ModelAdmin may set `joined_columns` and `first_columns`. `joined_columns` maps a column to the page's column that
    shows it together with others. `first_columns` come first on the page, whatever the order of the chosen columns.
    Files have one value per column.
    """
    columns, joined = columns_of(model_admin), getattr(model_admin, "joined_columns", {})
    names = list(dict.fromkeys(joined.get(name, name) for name in shown_names(model_admin, named)))
    names.sort(key=[*getattr(model_admin, "first_columns", ()), *names].index)
    return [_masked(columns[name]) if name in columns and columns[name].personal else name for name in names]


def choices_of(model_admin: ModelAdmin, named: Sequence[str]) -> list[Choice]:
    known, lead = _names(model_admin), leading(model_admin)
    shown = shown_names(model_admin, named)
    names = [*shown, *(name for name in known if name not in shown)]
    return [Choice(name, label_of(model_admin, name), name in shown, name == lead) for name in names]


def _masked(column: Column) -> Callable[[Any], str]:
    def shown(row):
        cell = column.cell(row, open_personal=False)
        return "-" if cell is None else cut(str(cell))

    shown.__name__, shown.short_description = column.name, column.label
    return shown
