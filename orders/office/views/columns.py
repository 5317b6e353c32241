"""Which columns a list shows: those that its address names (`columns=number,state_chip`), else the usual ones.

Only lists that can be exported let people choose, from the same columns. The one that leads
to a row's page always stays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.options import ModelAdmin
from django.http import QueryDict

from orders.admin.cells import cut
from orders.lists.list_query import COLUMNS, names_in
from orders.office.exports.lists import Column, columns_of, label_of, list_of


@dataclass(frozen=True)
class Choice:
    """A column in the form of the list."""

    name: str
    label: str
    shown: bool
    fixed: bool  # it can't be left out


def can_choose(model_admin: ModelAdmin) -> bool:
    return list_of(model_admin.model) is not None


def leading(model_admin: ModelAdmin) -> str:
    """The column that leads to a row's page."""
    return [*(model_admin.list_display_links or ()), *model_admin.list_display][0]


def chosen(model_admin: ModelAdmin, named: Sequence[str]) -> list[str]:
    """The columns among those that are named, without what the list does not have. Empty means the usual ones."""
    known = _all(model_admin)
    found = [name for name in dict.fromkeys(named) if name in known]
    lead = leading(model_admin)
    found = found if not found or lead in found else [lead, *found]
    return [] if found == list(model_admin.list_display) else found


def tidy_columns(model_admin: ModelAdmin, query: QueryDict) -> list[str]:
    """Says the columns in an address's query in one way. Returns those that the list does not have."""
    if COLUMNS not in query:
        return []
    named, known = names_in(",".join(query.getlist(COLUMNS))), _all(model_admin)
    if found := chosen(model_admin, named):
        query[COLUMNS] = ",".join(found)
    else:
        del query[COLUMNS]
    return [name for name in named if name not in known]


def on_page(model_admin: ModelAdmin, named: Sequence[str]) -> list[str | Callable]:
    """What the page's `list_display` is. People's data are masked, whoever looks."""
    columns = columns_of(model_admin)
    names = chosen(model_admin, named) or list(model_admin.list_display)
    return [_masked(columns[name]) if name in columns and columns[name].personal else name for name in names]


def choices_of(model_admin: ModelAdmin, named: Sequence[str]) -> list[Choice]:
    """All columns for the form: the shown ones in their order, then the others."""
    known, lead = _all(model_admin), leading(model_admin)
    shown = chosen(model_admin, named) or list(model_admin.list_display)
    names = [*shown, *(name for name in known if name not in shown)]
    return [Choice(name, known[name], name in shown, name == lead) for name in names]


def _all(model_admin: ModelAdmin) -> dict[str, str]:
    """{name: label} of the columns that a page can show: those of an export, and those that only pages have."""
    labels = {name: column.label for name, column in columns_of(model_admin).items()}
    usual = {name: labels.get(name) or label_of(model_admin, name) for name in model_admin.list_display}
    return usual | labels


def _masked(column: Column) -> Callable[[Any], str]:
    def shown(row):
        cell = column.cell(row, open_personal=False)
        return "-" if cell is None else cut(str(cell))

    shown.__name__, shown.short_description = column.name, column.label
    return shown
