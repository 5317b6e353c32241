"""The choice of tests: pytest with the names of tests or files plays all of them.

`make test` plays a sample of those without the mark `whole`. `make test WHOLE=1` plays all on SQLite and a sample of
all on PostgreSQL. A sample holds, of tests that differ in their parameters alone and use the database or have the mark
`sampled`, the first, and those with the mark `each`.
"""

import itertools
import os
from collections.abc import Iterable, Iterator

DATABASE = {"db", "transactional_db"}  # pytest-django's fixtures
WHOLE = os.environ.get("DESK_TEST_WHOLE") == "1"  # `make test WHOLE=1`


def without_whole(items: Iterable) -> Iterator:
    """Returns the pytest items without those that only WHOLE=1 plays."""
    return (item for item in items if not item.get_closest_marker("whole"))


def sample(items: Iterable) -> Iterator:
    """Returns the first of the pytest items that differ in their parameters alone, and those that are always played.

    Items of one function stand together.
    """
    for _function, alike in itertools.groupby(items, lambda item: (item.parent.nodeid, item.originalname)):
        first, *more = alike
        yield first
        yield from (item for item in more if item.get_closest_marker("each") or not _is_sampled(item))


def _is_sampled(item) -> bool:
    marked = item.get_closest_marker("django_db") or item.get_closest_marker("sampled")
    return marked is not None or not DATABASE.isdisjoint(item.fixturenames)
