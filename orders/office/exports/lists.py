"""Reads a filtered list for an export, limited to what the user may see (contract section 5)."""

import functools
from array import array
from collections.abc import Iterator, Sequence

from django.contrib.admin.options import ModelAdmin
from django.db.models import CharField, Model
from django.utils import timezone
from django.utils.translation import gettext as _

from notifications.masks import mask_text
from orders.history.actors import actor_of
from orders.lists.chosen_columns import columns_of
from orders.lists.csv_and_xlsx_cells import Cell
from orders.lists.list_query import address_query, columns_in, in_a_line, query_words, read_query, whole_list
from orders.lists.personal_data import may_open
from orders.lists.registration import admin_of, exported_lists, right_to_view, title_of
from orders.lists.scope import attributions_of
from orders.models import Province
from orders.office.evidence.archive import EVIDENCE
from orders.office.exports.column_meanings import notes_of
from orders.office.exports.export_jobs import Table
from orders.texts.errors import ExportError

PERMISSION = "orders.export_list"
ROWS_READ_AT_ONCE = 500  # rows that are read at a time
LARGE = {"content", "body", "hint", "answer", "payload"}
"""Fields that hold whole messages. A method of an admin must not read one; only the field itself may be a column."""


class ExportedList:
    """A filtered list as `user` sees it. Raises ExportError if the list or the filter is unknown or not allowed for the
    user."""

    def __init__(self, name: str, query: str, user) -> None:
        if name not in exported_lists():
            raise ExportError("export_list_unknown", name=name, names=", ".join(exported_lists()))
        self.name, self.user, self.model_admin = name, user, admin_of(name)
        if not may_export(user, self.model_admin):
            raise ExportError("export_not_allowed")
        conditions = read_query(self.model_admin, query)
        self.query = address_query(conditions)
        self.changelist = whole_list(self.model_admin, conditions, user)
        self.columns = columns_of(self.model_admin)
        self.named = [one for one in columns_in(query) if one in self.columns]

    @property
    def title(self) -> str:
        return title_of(self.name)

    @property
    def filters(self) -> list[tuple[str, str]]:
        return query_words(self.model_admin, self.query)

    @property
    def has_personal(self) -> bool:
        return any(column.personal for column in self.columns.values())

    def usual_columns(self, *, personal: bool) -> list[str]:
        """Returns the default columns of an export: the columns in the URL, otherwise the columns on the page. With
        `personal`, all columns with personal data are included."""
        shown = self.named or [name for name, column in self.columns.items() if column.shown]
        people = [name for name, column in self.columns.items() if personal and column.personal]
        return list(dict.fromkeys([*shown, *people]))

    def chosen_columns(self, names: Sequence[str], *, personal: bool) -> list[str]:
        """Returns the columns to export for a selection, or the default columns if it is empty. With `personal`, all
        columns with personal data are added if the selection has none of them."""
        people = [name for name, column in self.columns.items() if column.personal]
        more = people if personal and not set(people).intersection(names) else []
        return [*names, *more] if names else self.usual_columns(personal=personal)

    def check(self, names: Sequence[str], *, personal: bool) -> None:
        """Raises ExportError if no column is given, a column is unknown, or the user may not see personal data."""
        if personal and not may_open(self.user):
            raise ExportError("export_not_personal")
        unknown = [name for name in names if name not in self.columns]
        if unknown or not names:
            raise ExportError("export_column_unknown", name=", ".join(unknown) or "-", names=", ".join(self.columns))

    def table(self, names: Sequence[str], *, personal: bool, by: str) -> Table:
        """Returns the filtered rows in the list's order. The ids are read now and kept in memory. The rows are read
        while the file is written. `by`: the actor who exports, shown in the file.

        Raises ExportError (see `check`).
        """
        self.check(names, personal=personal)
        columns = [self.columns[name] for name in names]
        keys = self.changelist.queryset.values_list("pk", flat=True).iterator(chunk_size=10_000)
        ids = list(keys) if isinstance(self.changelist.opts.pk, CharField) else array("q", keys)
        rows = ([column.cell(row, open_personal=personal) for column in columns] for row in self._rows(ids, names))
        self.changelist.list_display = list(names)  # the columns for which `add_facts` reads data
        notes = functools.partial(notes_of, self.notes_about(by, personal=personal), self.model_admin, columns)
        return Table(self.title, [column.label for column in columns], len(ids), rows, notes)

    def notes_about(self, by: str, *, personal: bool) -> list[tuple[str, Cell]]:
        """Returns the facts about the file: list, filter, attributions, actor and time of the export, and whether
        personal data is masked."""
        scope = attributions_of(self.user)
        places = Province.objects.filter(letters__in=scope or ()).order_by("letters").values_list("name", flat=True)
        people = _("unmasked") if personal else _("masked") if self.has_personal else _("none in this list")
        return [
            (_("List"), self.title),
            (_("Filter"), mask_text(in_a_line(self.filters)) or _("none: all rows")),
            (_("Attributions"), _("all") if scope is None else _(", ").join(places)),
            (_("Exported by"), str(actor_of(by)[0])),
            (_("Exported at"), timezone.localtime().replace(tzinfo=None, microsecond=0)),
            (_("People's data"), people),
        ]

    def _rows(self, ids: Sequence, names: Sequence[str]) -> Iterator[Model]:
        """Yields the rows by id. Each batch is a separate short query, since an open cursor would block SQLite's
        writers and PostgreSQL's vacuum. Rows deleted meanwhile are left out."""
        large = LARGE.intersection(field.name for field in self.changelist.opts.concrete_fields).difference(names)
        rows = self.model_admin.get_queryset(self.changelist.request).defer(*large)
        for start in range(0, len(ids), ROWS_READ_AT_ONCE):
            batch = list(ids[start : start + ROWS_READ_AT_ONCE])
            found = {row.pk: row for row in self.changelist.apply_select_related(rows).filter(pk__in=batch)}
            kept = [found[pk] for pk in batch if pk in found]
            self.changelist.add_facts(kept)
            yield from kept


def title_of_export(name: str) -> str:
    return _("Evidence") if name == EVIDENCE else title_of(name)


def rights_for(model_admin: ModelAdmin) -> list[str]:
    return [right_to_view(model_admin.model), PERMISSION]


def may_export(user, model_admin: ModelAdmin) -> bool:
    return user.has_perms(rights_for(model_admin))
