"""Content of the second sheet of an exported workbook: facts about the file, and the meaning of each column."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from django.contrib.admin.options import ModelAdmin
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.lists.csv_and_xlsx_cells import Cell


class Titled(Protocol):
    name: str
    label: str


EVERYWHERE = {
    "domain": gettext_lazy("domain, as BBOSS sent it"),
    "number_link": gettext_lazy("number of the order"),
    "order_link": gettext_lazy("number of the order"),
    "customer": gettext_lazy("name of the customer"),
    "enterprise_id": gettext_lazy("number of the customer at BBOSS"),
    "owner_name": gettext_lazy("who sees to it"),
    "product_id": gettext_lazy("ProductID of the subscription; of a trial's record the service type"),
    "received": gettext_lazy("when BBOSS's message arrived, or staff entered the order"),
}


def meanings_of(model_admin: ModelAdmin) -> dict[str, str | Promise]:
    """Returns {column name: meaning} for a list: EVERYWHERE, updated by the ModelAdmin's `column_meanings`."""
    return EVERYWHERE | getattr(model_admin, "column_meanings", {})


def notes_of(
    about: Iterable[tuple[str, Cell]], model_admin: ModelAdmin, columns: Sequence[Titled], rows: int
) -> list[list[Cell]]:
    """Returns the rows of the sheet, each a title and a text. `about`: facts about the file."""
    meanings, facts = meanings_of(model_admin), [*about, (_("Rows"), rows)]
    explained = [[column.label, str(meanings.get(column.name, ""))] for column in columns]
    return [[_("About this file"), None], *map(list, facts), [None, None], [_("Column"), _("Meaning")], *explained]
