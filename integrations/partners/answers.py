"""Classifies a partner's answer as success, repeated, later, refused, or not understood (contract 7.1). Pure functions.

`integrations.outbound.failure_classification` classifies transport results (HTTP 3xx, 401, 403, 407, 408, 409, 429,
5xx, no answer) before this module is called.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from integrations.partners.member_rules import ANY, NOT_THERE, STATUS, Rule, member, read_rule, toml
from integrations.partners.profile import Answer

LONGEST_WORDS = 300
CODE_MEMBERS = ("code", "success", "status", "result", "ret", "retCode", "resultCode", "respCode", "rspCode", "errcode")
ANY_CODE = ((("code",), (ANY,)),)  # the members of the default rule of refusals


class Meaning(StrEnum):
    SUCCESS = "success"
    REPEATED = "repeated"
    LATER = "later"
    REFUSED = "refused"
    NOT_UNDERSTOOD = "not_understood"


IN_ORDER = (Meaning.REPEATED, Meaning.SUCCESS, Meaning.LATER, Meaning.REFUSED)


@dataclass(frozen=True)
class Reading:
    """The meaning of an answer, the rule that matched, and the answer's contents.

    `data` is the unwrapped JSON object. If the answer is no JSON object, `data` is None. `code` has the values that the
    rule matched. It identifies the kind of refusal. `words` is the partner's text. `process` is BPM's process id, or
    "".
    """

    meaning: Meaning
    rule: Rule | None
    data: dict[str, Any] | None
    code: str
    words: str
    process: str


def read_answer(how: Answer, *, status: int, raw: bytes, charset: str = "utf-8") -> Reading:
    """Returns the meaning of an answer. `charset` is the charset that the answer declares, or else the partner's
    default."""
    text = decoded(raw, charset)
    data, empty = _unwrapped(parse_object(text), how.unwrap), not text.strip()
    meaning, rule = next(_fitting(how, data, status, empty), (Meaning.NOT_UNDERSTOOD, None))
    code = ", ".join(_shown(_given(data, path, status)) for path, _values in rule.members) if rule else ""
    words = _shown(next(_found(data, how.message), ""))[:LONGEST_WORDS]
    process = next((one for one in _found(data, how.process) if isinstance(one, str | int)), "")
    return Reading(meaning, rule, data, code, words, str(process))


def lines_for(partner: str, how: Answer, *, status: int, raw: bytes, charset: str) -> tuple[str, str]:
    """Returns two lines for the profile. The first line would make the answer a success, the second line would make it
    a refusal.

    Both lines are empty if the answer is not JSON with HTTP 2xx, or has no member that could identify the
    answer. If the answer is nested in the text of a member, the first line unwraps that member.
    """
    data = read_answer(how, status=status, raw=raw, charset=charset).data if 200 <= status < 300 else None
    plain = dict(_plain(data or {}))
    wrapped = [name for name, value in plain.items() if isinstance(value, str) and parse_object(value)]
    order = [one for one in (*CODE_MEMBERS, *plain) if one in plain]
    name = next((one for one in order if one not in wrapped and one.rpartition(".")[2] in CODE_MEMBERS), "")
    name = name or next(iter([*wrapped, *order]), "")
    if not name:
        return "", ""
    told = read_rule({name: [plain[name]]}).as_toml
    line = "{}.answer.{} = [{}]"
    success = line.format(partner, "success", ", ".join([*(rule.as_toml for rule in how.success), told]))
    if name in wrapped:
        success = line.format(partner, "unwrap", ", ".join(map(toml, [*how.unwrap, name])))
    return success, line.format(partner, "refused", ", ".join([*(rule.as_toml for rule in how.refused), told]))


def _plain(data: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields (path, value) of the members whose value is a text, number or boolean. For nested objects only members
    named in CODE_MEMBERS are included."""
    for name, value in data.items():
        inner = value if isinstance(value, dict) else {}
        found = {name: value} | {f"{name}.{one}": inner[one] for one in CODE_MEMBERS if one in inner}
        yield from ((path, one) for path, one in found.items() if isinstance(one, str | int | float))


def _fitting(how: Answer, data: dict | None, status: int, empty: bool) -> Iterator[tuple[Meaning, Rule]]:
    """Yields the matching rules with their meanings, in the order of IN_ORDER. A rule of success requires HTTP 2xx,
    unless the rule names a status itself."""
    for meaning in IN_ORDER:
        for rule in getattr(how, meaning.value):
            if meaning == Meaning.SUCCESS and not rule.names_status and not 200 <= status < 300:
                continue
            if rule.holds(data, status=status, empty=empty) and not _is_no_code(rule, data):
                yield meaning, rule


def _is_no_code(rule: Rule, data: dict | None) -> bool:
    """Returns True if the default rule for any `code` matched a value that is neither a number nor a text, such as
    null. Such a value is no refusal."""
    return rule.members == ANY_CODE and not _is_code(member(data, ANY_CODE[0][0]))


def _is_code(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _given(data: dict | None, path: tuple[str, ...], status: int) -> object:
    return status if path == (STATUS,) else member(data, path)


def decoded(raw: bytes, charset: str) -> str:
    """Returns the text of an answer. If the bytes do not fit the charset, returns a text that is not JSON."""
    try:
        return raw.decode("utf-8-sig" if charset.lower() in ("utf-8", "utf8") else charset)
    except (UnicodeDecodeError, LookupError):
        return "\ufffd"


def parse_object(text: str) -> dict[str, Any] | None:
    """Returns the JSON object in a text, or None. NaN and Infinity are not accepted."""
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _unwrapped(data: dict[str, Any] | None, names: tuple[str, ...]) -> dict[str, Any] | None:
    """Returns the object nested in these members, which are listed from the outermost to the innermost. A member that
    is missing or contains no object is skipped."""
    for name in names:
        inner = member(data, tuple(name.split(".")))
        inner = parse_object(inner) if isinstance(inner, str) else inner
        if isinstance(inner, dict):
            data = inner
    return data


def _found(data: dict[str, Any] | None, paths: tuple[str, ...]) -> Iterator[object]:
    values = (member(data, tuple(path.split("."))) for path in paths)
    return (one for one in values if one is not NOT_THERE and one is not None)


def _shown(value: object) -> str:
    if value is NOT_THERE:
        return "absent"
    if isinstance(value, list | dict):
        return "..."
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
