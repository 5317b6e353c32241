"""Waits until a condition is true."""

import time
from collections.abc import Callable
from typing import TypeVar

import requests

T = TypeVar("T")
QUICKEST, SLOWEST = 0.05, 0.5
"""Seconds between two checks. A check often opens a connection, or reads the data of all processes."""


class NotYetError(AssertionError):
    """The condition did not become true in time. The text has the last result."""


def until(
    true: Callable[[], T],
    *,
    seconds: float = 60,
    every: float | None = None,
    what: str = "",
    report: Callable[[], str] = lambda: "",
) -> T:
    """Calls `true` until it returns a true value, and returns that value. A failed request counts as false.

    `every` is the number of seconds between two calls. By default, 0.05 seconds pass at first. Later a twentieth of
    the time waited so far passes, at most 0.5 seconds. After `seconds`, raises NotYetError. Its text has `what` and
    the result of `report`, for example logs.
    """
    began, last = time.monotonic(), None
    while True:
        try:
            if last := true():
                return last
        except requests.RequestException as error:
            last = error
        waited = time.monotonic() - began
        if waited > seconds:
            raise NotYetError(f"not within {seconds:g} s: {what or 'true'}; last: {last!r}\n{report()}")
        time.sleep(max(QUICKEST, min(waited / 20, SLOWEST)) if every is None else every)
