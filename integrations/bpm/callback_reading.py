"""Parses a callback of BPM according to the profile of partners (contract 7.1)."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from integrations.base import strict_json
from integrations.bpm.callback_fields import ApprovalSerializer, hash_of_read
from integrations.partners.answers import parse_object
from integrations.partners.member_rules import NOT_THERE
from integrations.partners.profile import Callback
from orders.rules.content import content_hash

PROCESS, CODE = "process", "code"
NAMES_OF_PROCESS = (PROCESS, "processId", CODE)
LONGEST_PROCESS = 128


class BadCallbackError(Exception):
    """The callback can't be read. The message names the member."""


@dataclass(frozen=True)
class Approval:
    """The contents of a callback. The profile determines whether the order's `number` or BPM's `process` id is set. The
    other is "". `record` has the arguments of `receive_approval` except `number` and `body_hash`."""

    record: dict[str, Any]
    body_hash: str
    number: str
    process: str


def members_of(body: bytes) -> dict[str, Any]:
    """Returns the members of a callback under BPM's names. Raises BadCallbackError."""
    try:
        members = strict_json.parse_bytes(body)
    except strict_json.BadJsonError as error:
        raise BadCallbackError(f"body: {error}") from None
    for name, value in members.items():
        if _has_nul(name) or _has_nul(value):
            raise BadCallbackError(f"{name.replace(chr(0), '?')[:80]}: must not contain U+0000")
    return members


def read_approval(given: dict[str, Any]) -> Approval:
    """Returns the parsed callback. Raises BadCallbackError."""
    how = settings.PARTNERS.bpm.callback
    members = ours(given, how)
    process = _process(members) if how.identifies == PROCESS else ""
    members = members | {CODE: process} if process else members
    serializer = ApprovalSerializer(data=members)
    if not serializer.is_valid():
        raise BadCallbackError("; ".join(f"{name}: {why[0]}" for name, why in serializer.errors.items()))
    record = dict(serializer.validated_data)
    number = record.pop("number")
    own_id = members.get("recordId") not in (None, "")
    return Approval(
        record, content_hash(given) if own_id else hash_of_read(members), "" if process else number, process
    )


def ours(given: dict[str, Any], how: Callback) -> dict[str, Any]:
    """Returns the members under our names. Members at nested paths of the profile move to the top level. If a member
    occurs both under BPM's name and under ours, raises BadCallbackError."""
    found, taken = {}, set()
    for path, name in how.paths_of_ours:
        if (value := _at(given, path)) is not NOT_THERE:
            found[name] = value
            taken.add(path[0])
    if not found:
        return given
    rest = {name: value for name, value in given.items() if name not in taken}
    if twice := sorted(found.keys() & rest.keys()):
        raise BadCallbackError(f"{twice[0]}: is there twice, under its name here and yours")
    return rest | found


def _at(value: Any, path: tuple[str, ...]) -> Any:
    """Returns the value at a path. An object on the path may be JSON text in a string."""
    for name in path:
        value = parse_object(value) if isinstance(value, str) else value
        if not isinstance(value, dict) or name not in value:
            return NOT_THERE
        value = value[name]
    return value


def _process(members: dict[str, Any]) -> str:
    given = next((members[name] for name in NAMES_OF_PROCESS if name in members), None)
    process = str(given).strip() if isinstance(given, str | int) and not isinstance(given, bool) else ""
    if not process or len(process) > LONGEST_PROCESS:
        raise BadCallbackError("process: must be the number of a process")
    return process


def _has_nul(value: Any) -> bool:
    """Returns True if a JSON value contains U+0000, which PostgreSQL can't store in a text."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_has_nul(item) for item in value)
