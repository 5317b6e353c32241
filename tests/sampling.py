"""Chooses which tests to run. With the names of tests or files, pytest runs all of them.

`make test` runs a sample of the tests without the mark `whole`. `make test WHOLE=1` runs all tests on SQLite and a
sample of all on PostgreSQL.

A sample leaves out tests only if they differ from others just in their parameters, and use the database or have the
mark `sampled`. Of these, the sample contains the first one and those with the mark `each`.
"""

import itertools
import os
from collections.abc import Iterable, Iterator

DATABASE = {"db", "transactional_db"}  # the database fixtures of pytest-django
WHOLE = os.environ.get("DESK_TEST_WHOLE") == "1"  # set by `make test WHOLE=1`


def without_whole(items: Iterable) -> Iterator:
    """Yields the pytest items without those that only WHOLE=1 runs."""
    return (item for item in items if not item.get_closest_marker("whole"))


def sample(items: Iterable) -> Iterator:
    """Yields the pytest items of a sample: the first of those that differ only in their parameters, and those that are
    always run.

    Items of the same function must follow each other.
    """
    for _function, alike in itertools.groupby(items, lambda item: (item.parent.nodeid, item.originalname)):
        first, *more = alike
        yield first
        yield from (item for item in more if item.get_closest_marker("each") or not _is_sampled(item))


def _is_sampled(item) -> bool:
    marked = item.get_closest_marker("django_db") or item.get_closest_marker("sampled")
    return marked is not None or not DATABASE.isdisjoint(item.fixturenames)
