"""The base class of all change lists. It accepts only declared filters, tolerates invalid URLs and sorts by column
names. It counts rows up to a limit, and adds data from other tables.

Undeclared lookups in the URL are refused, because they could be used to guess personal data by its first characters.
A value that the database does not accept is not a server error.

Links sort by column names (`o=-received`), which do not depend on the shown columns. Django's `o=-9` is a position.
URLs with positions still work.
"""

from collections.abc import Sequence

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models.expressions import OrderBy
from django.utils.functional import cached_property

from orders.db.unstorable_values import NONSENSE
from orders.lists.chosen_columns import can_choose, shown_names
from orders.lists.filter_kinds import IncorrectLookupParameters
from orders.lists.list_query import (
    COLUMNS,
    NOTHING,
    NUMBER,
    ORDER_VAR,
    PAGE_VAR,
    SEARCH_VAR,
    VIEW,
    names_in,
    reads_of,
    said_as,
)

LONGEST_PLACE = 3  # digits of a position
MAX_COUNTED = 10_000


class CappedPaginator(Paginator):
    """Counts at most MAX_COUNTED + 1 rows."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[: MAX_COUNTED + 1].count()


class DeskChangeList(ChangeList):
    """A change list. On IncorrectLookupParameters, Django redirects to the list.

    `add_facts` adds data from other tables to the rows, with a few queries for the whole page.
    """

    def add_facts(self, rows: list) -> None:
        """Sets attributes on the rows for the columns, by calling the ModelAdmin."""
        self.model_admin.add_facts(rows)

    def get_filters_params(self, params=None):
        """Returns the parameters without those for the shown columns and the saved view."""
        found, own = super().get_filters_params(params), (COLUMNS, VIEW) if can_choose(self.model_admin) else ()
        return {name: values for name, values in found.items() if name not in own}

    @property
    def unfiltered(self) -> str:
        return self.get_query_string(dict.fromkeys([*self.get_filters_params(), SEARCH_VAR, PAGE_VAR]))

    def get_filters(self, request):
        """Accepts only names of the list's filters and names in `linked_by`."""
        linked_by = set(getattr(self.model_admin, "linked_by", ()))
        accepted = linked_by | set(map(said_as, self.list_filter))
        given, beginnings = self.get_filters_params(), tuple(f"{one}__" for one in accepted)
        undeclared = {name for name in given if name not in accepted and not name.startswith(beginnings)}
        if not undeclared:
            found = super().get_filters(request)
            undeclared = set(found[2]) - linked_by
        if undeclared:
            request.undeclared = undeclared
            raise IncorrectLookupParameters(f"no filters of this list: {', '.join(sorted(undeclared))}")
        return found

    def get_queryset(self, request, exclude_parameters=None):
        try:
            return self.leave_out(request, super().get_queryset(request, exclude_parameters))
        except NONSENSE as error:
            raise IncorrectLookupParameters(error) from error
        except IncorrectLookupParameters as error:
            request.wrong_value = error
            raise

    def leave_out(self, request, rows):
        """Returns the rows that the list shows, sorted. Subclasses may leave out rows without a sort value."""
        return rows

    def get_results(self, request):
        """Evaluates the rows, so that database errors occur before the page is rendered. Stores `request`."""
        self.request, reads = request, reads_of(request)
        if reads == NOTHING:
            return
        try:
            if reads == NUMBER:
                self.result_count = self.model_admin.get_paginator(request, self.queryset, 1).count
                return
            super().get_results(request)
            self.result_list = list(self.result_list)
        except NONSENSE as error:
            raise IncorrectLookupParameters(error) from error
        self.add_facts(self.result_list)

    def get_ordering_field(self, field_name):
        if self.sortable_by is not None and field_name not in self.sortable_by:
            return None
        return super().get_ordering_field(field_name)

    def get_ordering(self, request, queryset):
        """Adds the id as the last sort key, in the direction of the first column, so that an index can be used."""
        parts = [(sign, self.get_ordering_field(column)) for sign, column in self.sorted_by()]
        ordering = [_directed(field, sign) for sign, field in parts if field]
        if not ordering:
            found = list(queryset.query.order_by)
            return found if found[-1:] in (["pk"], ["-pk"]) else self.get_usual_ordering(request, queryset)
        ordering += [part for part in self.model_admin.get_ordering(request) if part not in ("pk", "-pk")]
        unique = [
            sign + field.name for field in self.opts.fields if field.unique and not field.null for sign in ("", "-")
        ]
        return ordering if any(part in unique for part in ordering) else [*ordering, f"{parts[0][0]}pk"]

    def get_usual_ordering(self, request, queryset):
        """Returns the ordering that applies if neither the URL nor a filter sets a valid one."""
        if self.params.get(ORDER_VAR):  # no part of the order is valid; Django would read positions on the page
            return [*queryset.query.order_by, "-pk"]
        return super().get_ordering(request, queryset)

    def get_ordering_field_columns(self):
        """Returns {position of a shown column: `asc` or `desc`}."""
        if not self.params.get(ORDER_VAR):
            return super().get_ordering_field_columns()
        places = {column: place for place, column in enumerate(self.list_display)}
        return {places[column]: "desc" if sign else "asc" for sign, column in self.sorted_by() if column in places}

    def get_query_string(self, new_params=None, remove=None):
        """Returns the query string. Django's column headers sort by positions, which are replaced by column names."""
        if new_params and new_params.get(ORDER_VAR):
            new_params = new_params | {ORDER_VAR: self.named_order(new_params[ORDER_VAR])}
        return super().get_query_string(new_params, remove)

    def named_order(self, order: str | None = None) -> str:
        """Returns the order (`o`) with column names instead of positions, without invalid parts."""
        return ".".join(f"{sign}{column}" for sign, column in self.sorted_by(order) if isinstance(column, str))

    @property
    def _declared(self) -> Sequence:
        """The columns that positions in a URL count. The page may show them in another order, or joined."""
        if not can_choose(self.model_admin):
            return self.list_display
        return shown_names(self.model_admin, names_in(self.params.get(COLUMNS, "")))

    def sorted_by(self, order: str | None = None) -> list[tuple]:
        """Returns the valid parts of the order as [(`-` or an empty string, column)], with each column once. `order`:
        an order with positions of the page's columns. By default, the URL's order is used."""
        found: dict = {}
        places = dict(enumerate(self._declared if order is None else self.list_display))
        for part in (self.params.get(ORDER_VAR, "") if order is None else order).split("."):
            name = part.removeprefix("-")
            column = places.get(int(name)) if name.isdecimal() and len(name) <= LONGEST_PLACE else name
            if column and column in (self.list_display if self.sortable_by is None else self.sortable_by):
                found.setdefault(column, "-" if name != part else "")
        return [(sign, column) for column, sign in found.items()]


def _directed(field, sign: str):
    if isinstance(field, OrderBy):
        if sign:
            field = field.copy()
            field.reverse_ordering()
        return field
    if hasattr(field, "resolve_expression"):
        return field.desc() if sign else field.asc()
    return field.removeprefix("-") if sign and field.startswith("-") else sign + field
