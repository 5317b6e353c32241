"""Keyset pagination of the read API. A page has `limit` rows. They follow the row with the sort keys in `cursor`.

No row is repeated or skipped while rows are added. DRF's CursorPagination is not used, because it counts an offset
among rows with an equal first sort key. An order may have 20,000 such records, and the offset is wrong if some of them
end between two requests.
"""

import re

from rest_framework.pagination import BasePagination

from integrations.api.errors_and_etags import BadParameterError
from orders.db.unstorable_values import NONSENSE

MAX, USUAL = 200, 50  # rows per page
LIMIT, CURSOR = "limit", "cursor"


class KeysetPagination(BasePagination):
    """Pagination by sort keys. `next` is the URL of the next page.

    The view must have `ordering` and `behind(rows, *keys)`. `behind` filters the rows after a row with these keys.
    """

    def read(self, request, ordering: list[str]) -> None:
        """Reads the parameters of pagination. Raises BadParameterError."""
        limit, cursor = request.GET.get(LIMIT) or str(USUAL), request.GET.get(CURSOR)
        if not re.fullmatch("[0-9]{1,3}", limit) or not 1 <= int(limit) <= MAX:
            raise BadParameterError(LIMIT, f"must be a number from 1 to {MAX}")
        if cursor is not None and not re.fullmatch("-".join(["[0-9]{1,18}"] * len(ordering)), cursor):
            raise BadParameterError(CURSOR, "must be the cursor of a `next` that this address gave")
        self.limit, self.keys = int(limit), [int(key) for key in cursor.split("-")] if cursor else []

    def paginate_queryset(self, queryset, request, view=None) -> list:
        rows = view.behind(queryset, *self.keys) if self.keys else queryset
        try:
            found = list(rows.order_by(*view.ordering)[: self.limit + 1])
        except NONSENSE as error:
            raise BadParameterError("", "a value of the filter can't be read") from error
        page, self.next = found[: self.limit], None
        if len(found) > self.limit:
            query = request.GET.copy()
            query[CURSOR] = "-".join(str(getattr(page[-1], key.removeprefix("-"))) for key in view.ordering)
            self.next = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
        return page
