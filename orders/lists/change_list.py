"""What every list of the desk adds to Django's ChangeList: an order by the names of columns, a count up to a limit, and
facts from other tables.

`o=-received` means the same whichever columns are shown. Django counts those that are shown (`o=-9`). Such an address
is still understood; links have names.
"""

from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models.expressions import OrderBy
from django.utils.functional import cached_property

LONGEST_PLACE = 3  # digits
MAX_COUNTED = 10_000


class CappedPaginator(Paginator):
    """Counts at most MAX_COUNTED + 1 rows, since nobody pages through more."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[: MAX_COUNTED + 1].count()


class FactsChangeList(ChangeList):
    """A list whose rows get facts from other tables: a few queries for all rows of a page."""

    def add_facts(self, rows: list) -> None:
        """Sets attributes of the rows, which columns read."""
        raise NotImplementedError

    def get_results(self, request):
        super().get_results(request)
        self.result_list = list(self.result_list)
        self.add_facts(self.result_list)


class NamedOrder:
    def get_ordering_field(self, field_name):
        """Sorts only by columns whose headings sort the list."""
        if self.sortable_by is not None and field_name not in self.sortable_by:
            return None
        return super().get_ordering_field(field_name)

    def get_ordering(self, request, queryset):
        """Equal rows follow by id, in the direction of the first column, as an index has them."""
        parts = [(sign, self.get_ordering_field(column)) for sign, column in self.sorted_by()]
        ordering = [_directed(field, sign) for sign, field in parts if field]
        if not ordering:
            found = list(queryset.query.order_by)
            return found if found[-1:] == ["-pk"] else super().get_ordering(request, queryset)
        found = self._get_deterministic_ordering([*ordering, *self.root_queryset.query.order_by])
        return [*found[:-1], "pk"] if found[-1] == "-pk" and not parts[0][0] else found

    def get_ordering_field_columns(self):
        """{place of a column that is shown: its direction}."""
        if not self.params.get(ORDER_VAR):
            return super().get_ordering_field_columns()
        places = {column: place for place, column in enumerate(self.list_display)}
        return {places[column]: "desc" if sign else "asc" for sign, column in self.sorted_by() if column in places}

    def get_query_string(self, new_params=None, remove=None):
        """Names the columns of the order: headings give their places."""
        if new_params and new_params.get(ORDER_VAR):
            new_params = new_params | {ORDER_VAR: self.named_order(new_params[ORDER_VAR])}
        return super().get_query_string(new_params, remove)

    def named_order(self, order: str) -> str:
        """An order with the names of its columns. Parts that mean nothing are left out."""
        return ".".join(f"{sign}{column}" for sign, column in self.sorted_by(order) if isinstance(column, str))

    def sorted_by(self, order: str | None = None) -> list[tuple]:
        """(`-` or nothing, column) of each part of the order that means a column, each column once."""
        found: dict = {}
        for part in (self.params.get(ORDER_VAR, "") if order is None else order).split("."):
            name = part.removeprefix("-")
            column = self._at(int(name)) if name.isdecimal() and len(name) <= LONGEST_PLACE else name
            if column and column in (self.list_display if self.sortable_by is None else self.sortable_by):
                found.setdefault(column, "-" if name != part else "")
        return [(sign, column) for column, sign in found.items()]

    def _at(self, place: int):
        return self.list_display[place] if place < len(self.list_display) else None


def _directed(field, sign: str):
    if isinstance(field, OrderBy):
        if sign:
            field = field.copy()
            field.reverse_ordering()
        return field
    if hasattr(field, "resolve_expression"):
        return field.desc() if sign else field.asc()
    return field.removeprefix("-") if sign and field.startswith("-") else sign + field
