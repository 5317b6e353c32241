"""Which of many like tests `make test` plays; with WHOLE=1, or when they are named, all are played."""

import os
from collections.abc import Iterable

import pytest

PARAMETER = type(pytest.param())

WHOLE = os.environ.get("DESK_TEST_WHOLE") == "1"  # `make test WHOLE=1`


def sampled(values: Iterable, *, every: int) -> list:
    """The values as parameters; only the first one, and then each so-and-so-many-th, is played by `make test`.

    A tuple is the values of several names.
    """
    return [value if place % every == 0 else in_the_whole(value) for place, value in enumerate(values)]


def in_the_whole(value):
    """A parameter that only the whole suite plays."""
    if isinstance(value, PARAMETER):
        return value._replace(marks=[*value.marks, pytest.mark.whole])
    return pytest.param(*(value if isinstance(value, tuple) else [value]), marks=pytest.mark.whole)
