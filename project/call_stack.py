"""Room for deep calls."""

from collections.abc import Callable
from functools import wraps

FRAME = 33_000  # words: 258 KiB, for which CPython maps 512 KiB. What is never touched takes no memory


def with_room(function: Callable) -> Callable:
    """`function`, under a frame that leaves the calls below it a quarter of a MiB.

    CPython keeps frames in pieces of 16 KiB. A call that passes a piece's end maps the next one, and its return unmaps
    it: 1,240 times for a page of the order list, a fifth of its CPU. For a larger frame it maps a larger piece, whose
    rest serves the calls below.
    """

    @wraps(function)
    def call(*args, **kwargs):
        return function(*args, **kwargs)

    call.__code__ = call.__code__.replace(co_stacksize=FRAME)
    return call
