"""Renames members by the profile's tables `rename`, which map a partner's paths to ours (contract 7.1). Pure
functions."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from integrations.partners.member_rules import NOT_THERE, member

Path = tuple[str, ...]


def paths_of(rename: Mapping[str, str]) -> dict[Path, Path]:
    """Returns the table `rename` with its paths as tuples."""
    return {tuple(theirs.split(".")): tuple(ours.split(".")) for theirs, ours in rename.items()}


def inverted(rename: Mapping[Path, Path]) -> dict[Path, Path]:
    """Returns the inverted table, which maps our paths to the partner's."""
    return {ours: theirs for theirs, ours in rename.items()}


def copied(value: Any) -> Any:
    """Returns a copy of a JSON value."""
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value


def rename_in(data: dict[str, Any], rename: Mapping[Path, Path]) -> str:
    """Changes `data` by renaming members by their paths. Returns the first new name that already existed, or "".

    If the parent of a member stays the same, the member is renamed there, also in each object of a list. Other members
    are moved.
    """
    twice = ""
    # The deepest paths come first, because a path has the old names of its parents.
    for old, new in sorted(rename.items(), key=lambda pair: -len(pair[0])):
        if _new_path(old[:-1], rename) == new[:-1]:
            for holder in _holders(data, old[:-1]):
                if old[-1] in holder and old[-1] != new[-1]:
                    twice = twice or (".".join(new) if new[-1] in holder else "")
                    holder[new[-1]] = holder.pop(old[-1])
    for old, new in rename.items():
        if (parent := _new_path(old[:-1], rename)) != new[:-1]:
            twice = _move(data, (*parent, old[-1]), new) or twice
    return twice


def _new_path(path: Path, rename: Mapping[Path, Path]) -> Path:
    if not path or path in rename:
        return rename.get(path, path)
    return (*_new_path(path[:-1], rename), path[-1])


def _holders(data: Any, path: Path) -> Iterator[dict[str, Any]]:
    """Yields the object at a path. If there is a list at the path or at a parent, yields each object in the list."""
    if isinstance(data, list):
        for one in data:
            yield from _holders(one, path)
    elif isinstance(data, dict) and path:
        yield from _holders(data.get(path[0]), path[1:])
    elif isinstance(data, dict):
        yield data


def _move(data: dict[str, Any], old: Path, new: Path) -> str:
    value = member(data, old)
    if value is NOT_THERE:
        return ""
    holder = member(data, old[:-1])
    place: Any = data
    for name in new[:-1]:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            return ""
    twice = ".".join(new) if new[-1] in place else ""
    del holder[old[-1]]  # type: ignore[attr-defined]
    place[new[-1]] = value
    return twice


def below(rename: Mapping[Path, Path], names: Iterable[Path], ours: str) -> dict[Path, Path]:
    """Returns the table's entries inside the member `ours`, with paths relative to that member. `names` are the paths
    that the member may have in the message."""
    found = {}
    for theirs, path in rename.items():
        for name in names:
            if len(path) > 1 and path[0] == ours and theirs[: len(name)] == name and len(theirs) > len(name):
                found[theirs[len(name) :]] = path[1:]
    return found
