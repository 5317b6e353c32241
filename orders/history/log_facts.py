"""The context of a log line besides its message: of which request, order or call it is (contract 4, LOG_FORMAT)."""

import contextlib
import contextvars
from collections.abc import Iterator

_facts: contextvars.ContextVar[dict | None] = contextvars.ContextVar("log_facts", default=None)


@contextlib.contextmanager
def log_facts(**facts: object) -> Iterator[dict]:
    """Every line that this thread writes inside says them too. `trace` goes to partners as well."""
    inside = known_facts() | facts
    token = _facts.set(inside)
    try:
        yield inside
    finally:
        _facts.reset(token)


def note(**facts: object) -> None:
    """Adds to the facts of the request or call that is under way. Outside one it does nothing."""
    if (inside := _facts.get()) is not None:
        inside.update(facts)


def known_facts() -> dict:
    """Returns the facts in force, for reading."""
    return _facts.get() or {}
