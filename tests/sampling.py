"""Which tests `make test` plays: `make test WHOLE=1` plays all, and so does pytest with the names of tests or files.

Left out are tests with the mark `whole`. Of tests that differ in their parameters alone, and use the database or have
the mark `sampled`, the first is played; so are those with the mark `each`.
"""

import itertools
import os
from collections.abc import Iterable, Iterator

DATABASE = {"db", "transactional_db"}  # pytest-django's fixtures
WHOLE = os.environ.get("DESK_TEST_WHOLE") == "1"  # `make test WHOLE=1`


def short(items: Iterable) -> Iterator:
    """The pytest items that a short run plays. Items of one function stand together."""
    rest = [item for item in items if not item.get_closest_marker("whole")]
    for _function, alike in itertools.groupby(rest, lambda item: (item.parent.nodeid, item.originalname)):
        first, *more = alike
        yield first
        yield from (item for item in more if item.get_closest_marker("each") or not _is_sampled(item))


def _is_sampled(item) -> bool:
    marked = item.get_closest_marker("django_db") or item.get_closest_marker("sampled")
    return marked is not None or not DATABASE.isdisjoint(item.fixturenames)
