"""Mutations of a JSON object's structure: types are swapped, and members are removed, renamed, added or moved."""

import random

from tests.hostile import values


def mutate(members: dict, chance: random.Random, names: list[str]) -> str:
    """Mutates the object, or one inside it, in place. Returns what was done."""
    inner = [value for value in members.values() if isinstance(value, dict)]
    if inner and chance.random() < 0.3:
        return mutate(chance.choice(inner), chance, names)
    act = chance.choice(ACTS)
    return f"{act.__name__} {ascii(act(members, chance, names))[1:40]}"


def swap(members: dict, chance: random.Random, names: list[str]) -> str:
    """Gives a member another value."""
    name = _member(members, chance)
    members[name] = values.hostile(chance)
    return name


def date(members: dict, chance: random.Random, names: list[str]) -> str:
    """Replaces a date by an impossible or far-off date or time."""
    places = [name for name in ("BizStart", "BizEnd", "timeStamp", "cutOffDay", "time") if name in members]
    name = chance.choice(places or names)
    members[name] = values.day(chance) if name.startswith(("Biz", "cut")) else values.moment(chance)
    return name


def list_of(members: dict, chance: random.Random, names: list[str]) -> str:
    """Sets a member to a list of many domains."""
    name = "ProvContent" if "OrderNum" in members else _member(members, chance)
    members[name] = values.domains(chance)
    return name


def remove(members: dict, chance: random.Random, names: list[str]) -> str:
    name = _member(members, chance)
    members.pop(name, None)
    return name


def rename(members: dict, chance: random.Random, names: list[str]) -> str:
    """Gives a member's name another letter case or a trailing space, or replaces it by a strange or huge name."""
    name = _member(members, chance)
    strange = [name.upper(), name + " ", name + "\0", values.text(chance), values.huge_text(chance)]
    new = chance.choice(strange)
    members[new] = members.pop(name, 1)
    return name


def add(members: dict, chance: random.Random, names: list[str]) -> str:
    """Adds a member that only another kind of message knows, or that no kind knows."""
    name = chance.choice([*names, values.text(chance)])
    members[name] = values.hostile(chance)
    return name


def copy_over(members: dict, chance: random.Random, names: list[str]) -> str:
    """Copies a member's value into another member."""
    name, other = _member(members, chance), _member(members, chance)
    members[other] = members.get(name)
    return f"{name} to {other}"


def many_members(members: dict, chance: random.Random, names: list[str]) -> str:
    """Adds up to thousands of members."""
    count = values.size(chance, [10, 100, 500], 20_000)
    members.update({f"m{place}": "" for place in range(count)})
    return str(count)


def wide_tree(members: dict, chance: random.Random, names: list[str]) -> str:
    """Adds a long name with many values below it. This is costly for code that repeats the name for each value."""
    size = values.size(chance, [10, 100, 1000], 60_000)
    members["n" * (size * 8)] = dict.fromkeys(map(str, range(size)), "v")
    return str(size)


def _member(members: dict, chance: random.Random) -> str:
    return chance.choice(list(members) or ["x"])


ACTS = [swap, swap, swap, swap, remove, rename, add, copy_over, many_members, wide_tree, date, list_of]
