"""Which of many like tests `make test` plays; with WHOLE=1, or when they are named, all are played."""

import os
from collections.abc import Iterable

import pytest

WHOLE = os.environ.get("DESK_TEST_WHOLE") == "1"  # `make test WHOLE=1`


def sampled(values: Iterable, *, every: int) -> list:
    """The values as parameters; only the first one, and then each so-and-so-many-th, is played by `make test`."""
    return [value if place % every == 0 else in_the_whole(*of_several(value)) for place, value in enumerate(values)]


def parametrize_sampled(names: str, values: Iterable, *, every: int, **more):
    """`pytest.mark.parametrize` with a sample of the values."""
    return pytest.mark.parametrize(names, sampled(values, every=every), **more)


def of_several(value) -> tuple:
    """The values of several parameters stand in a tuple."""
    return value if type(value) is tuple else (value,)


def in_the_whole(*values, **more):
    """A parameter that only the whole suite plays. Like `pytest.param`, whose marks it keeps."""
    if len(values) == 1 and isinstance(values[0], type(pytest.param())):
        return values[0]._replace(marks=[*values[0].marks, pytest.mark.whole])
    return pytest.param(*values, marks=pytest.mark.whole, **more)
