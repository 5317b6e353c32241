"""Lists of any length: rows are counted up to a limit, for nobody pages through more."""

from django.core.paginator import Paginator
from django.utils.functional import cached_property

MOST = 10_000


class CappedPaginator(Paginator):
    """Counts no further than one row beyond MOST; a count of MOST + 1 means: more than MOST."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[: MOST + 1].count()
