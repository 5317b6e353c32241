"""All decisions: each file of this package that holds a class of `Decision` adds it, by being there."""

import pkgutil
from collections.abc import Callable
from importlib import import_module

from orders.models import AskedAct
from orders.order_page import decisions
from orders.order_page.decisions.base import Decision
from orders.order_words.ladder.step_rungs import Facts


def find_decisions() -> dict[str, Decision]:
    """One of each class, by its key, in the menu's order."""
    modules = [import_module(f"{decisions.__name__}.{found.name}") for found in _files()]
    classes = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    classes = {kind for kind in classes if issubclass(kind, Decision) and hasattr(kind, "key")}
    return {kind.key: kind() for kind in sorted(classes, key=lambda kind: kind.place)}


def _files() -> list[pkgutil.ModuleInfo]:
    """The package's modules but this one and the view, which imports it."""
    return [found for found in pkgutil.iter_modules(decisions.__path__) if found.name not in {"registry", "view"}]


DECISIONS = find_decisions()


def label_of(row: AskedAct) -> str:
    """What was asked for, as its button says it. Another version may have asked for what this one does not know."""
    return str(DECISIONS[row.decision].label if row.decision in DECISIONS else row.get_act_display())


def offered_decisions(facts: Facts, has_perm: Callable[[str], bool]) -> list[Decision]:
    return [row for row in DECISIONS.values() if has_perm(row.permission) and not row.why_not(facts)]
