"""Rules of the profile. A rule tests the members and values of an answer (contract 7.1). Pure functions."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

STATUS, EMPTY = "status", "empty"
ANY, ABSENT = "*", "absent"
BOUND = re.compile(r"(>=|<=|>|<)(-?\d+(?:\.\d+)?)")
COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda given, bound: given >= bound,
    "<=": lambda given, bound: given <= bound,
    ">": lambda given, bound: given > bound,
    "<": lambda given, bound: given < bound,
}
NOT_THERE = object()


class RuleError(ValueError):
    """The value is not a valid rule. The text gives the reason."""


@dataclass(frozen=True)
class Rule:
    """A rule: members by their paths, and the accepted values of each. `as_toml` is the rule in TOML."""

    members: tuple[tuple[tuple[str, ...], tuple[Any, ...]], ...]
    as_toml: str
    names_status: bool = False

    def holds(self, data: object, *, status: int, empty: bool = False) -> bool:
        """Returns True if each member has one of its accepted values. `data` is the answer's object, or None."""
        return all(self._has(path, values, data, status, empty) for path, values in self.members)

    def _has(self, path: tuple[str, ...], values: tuple, data: object, status: int, empty: bool) -> bool:
        given = status if path == (STATUS,) else empty if path == (EMPTY,) else member(data, path)
        return any(matches(value, given) for value in values)


def read_rule(given: object) -> Rule:
    """Returns the rule in a table of the profile. Raises RuleError."""
    if not isinstance(given, dict) or not given:
        raise RuleError("a rule is a table of members and lists of values, such as { code = [200] }")
    members = []
    for path, values in given.items():
        if not isinstance(values, list) or not values:
            raise RuleError(f"{path}: must be a list of values")
        if not all(isinstance(value, str | int | float | bool) for value in values):
            raise RuleError(f"{path}: a value is a text, a number, true or false")
        members.append((tuple(path.split(".")), tuple(values)))
    no_content = given == {STATUS: [204], EMPTY: [True]}
    if not no_content and (EMPTY in given or set(given) == {STATUS}):
        raise RuleError("needs a member of the answer besides status; or { status = [204], empty = [true] }")
    return Rule(tuple(members), toml(given), STATUS in given)


def toml(value: Any) -> str:
    """Formats a value of the profile as TOML: a text, number or boolean, a list or a table."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(name)} = {toml(one)}' for name, one in value.items())} }}" if value else "{}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")  # otherwise TOML escapes like JSON
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml(name)


def member(data: object, path: tuple[str, ...]) -> object:
    """Returns the value at a path in nested objects, or NOT_THERE."""
    for name in path:
        if not isinstance(data, dict) or name not in data:
            return NOT_THERE
        data = data[name]
    return data


def matches(value: str | float | bool, given: object) -> bool:
    """Returns True if a member's value matches a value of a rule. A rule's value is `absent`, `*`, a bound such as
    `>=500`, or a value that must be equal (`equals`)."""
    if value == ABSENT and isinstance(value, str):
        return given is NOT_THERE
    if given is NOT_THERE:
        return False
    if value == ANY and isinstance(value, str):
        return True
    if isinstance(value, str) and (bound := BOUND.fullmatch(value)):
        number = _number(given)
        return number is not None and COMPARE[bound[1]](number, float(bound[2]))
    return equals(value, given)


def equals(value: str | float | bool, given: object) -> bool:
    """Returns True if a member has this value. The number 200 equals the text "200". But "0000" does not equal 0, and
    true does not equal 1."""
    if isinstance(value, bool) or isinstance(given, bool):
        return value is given
    return isinstance(given, str | int | float) and _text(value) == _text(given)


def _text(value: str | float) -> str:
    """Returns the text that is compared. Numbers are compared as texts, so that "0000" differs from 0."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _number(given: object) -> float | None:
    if isinstance(given, int | float):
        return None if isinstance(given, bool) else given  # an integer may be larger than any float
    try:
        return float(given) if isinstance(given, str) else None
    except ValueError:
        return None
