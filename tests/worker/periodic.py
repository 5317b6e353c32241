"""Replacements for the work that the worker does by itself."""

from collections.abc import Callable

import pytest

from project import periodic


def replace_parts(monkeypatch: pytest.MonkeyPatch, **stand_ins: Callable) -> None:
    """Replaces the functions of these names in the worker's table of periodic work."""
    assert set(stand_ins) <= {part.run.__name__ for part in periodic.PARTS}
    rows = [part._replace(run=stand_ins.get(part.run.__name__, part.run)) for part in periodic.PARTS]
    monkeypatch.setattr(periodic, "PARTS", rows)
