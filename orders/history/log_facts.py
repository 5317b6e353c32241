"""The context of log lines: the request, order or call that a line is about (contract 4, LOG_FORMAT)."""

import contextlib
import contextvars
from collections.abc import Iterator

_facts: contextvars.ContextVar[dict | None] = contextvars.ContextVar("log_facts", default=None)


@contextlib.contextmanager
def log_facts(**facts: object) -> Iterator[dict]:
    """Add these facts to each log line that this thread writes within the block. `trace` is also sent to partners."""
    inside = known_facts() | facts
    token = _facts.set(inside)
    try:
        yield inside
    finally:
        _facts.reset(token)


def note(**facts: object) -> None:
    """Add facts to the innermost `log_facts` block. Does nothing outside a block."""
    if (inside := _facts.get()) is not None:
        inside.update(facts)


def known_facts() -> dict:
    """Returns the facts of the innermost `log_facts` block. Callers must not change them."""
    return _facts.get() or {}
