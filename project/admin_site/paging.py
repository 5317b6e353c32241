"""Lists of any length. Rows are counted up to a limit, since nobody pages through more."""

from django.core.paginator import Paginator
from django.utils.functional import cached_property

MOST = 10_000


class CappedPaginator(Paginator):
    """Counts at most MOST + 1 rows. A count of MOST + 1 means: more than MOST."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[: MOST + 1].count()
