"""One way to wait until something is so."""

import time
from collections.abc import Callable
from typing import TypeVar

import requests

T = TypeVar("T")
QUICKEST, SLOWEST = 0.05, 0.5
"""Seconds between two looks. A look is often a new connection, or one at all processes."""


class NotYetError(AssertionError):
    """It did not become so in time. The text says what was seen last."""


def until(
    true: Callable[[], T],
    *,
    seconds: float = 60,
    every: float | None = None,
    what: str = "",
    report: Callable[[], str] = lambda: "",
) -> T:
    """Calls `true` until it gives something that counts as true, and gives that. A request that fails is no yet.

    It is called every so many seconds; by default twenty times a second at first, and less often once that is little
    beside the time that it has taken. Raises NotYetError after so many seconds, with `what` was waited for and what
    `report` gives then: logs, say.
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
