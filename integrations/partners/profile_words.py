"""Describes the calls of the profile for engineers, with their rules and the origin of each rule (`partners`, contract
7.3)."""

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from integrations.partners.answers import Meaning, Reading, read_answer
from integrations.partners.member_rules import Rule, member, toml
from integrations.partners.profile import ANSWER, FROM_ENVIRONMENT, SECRET_NAMES, TOML_KEYS, Answer, Callback, Profile
from integrations.partners.profile_requirements import values_of_secrets

MASK = "***"
DEFAULT = "default"  # the origin of a key that is not in the file
CREDENTIALS = re.compile(r"(://)[^/@\s]+@")
KEYS = [one.name for one in dataclasses.fields(Answer)]
LOOK_UPS = {"bigdata.query", "bigdata.traffic"}
BY_STATUS = {401, 403, 407, 408, 409, 429}
"""HTTP statuses that are classified without rules, in addition to 3xx and 5xx (contract 7.1)."""


def masked(text: str) -> str:
    """Returns a text of the profile, or an address, without its secrets."""
    return CREDENTIALS.sub(rf"\1{MASK}@", FROM_ENVIRONMENT.sub(MASK, text))


def without_values(text: str) -> str:
    """Returns the text with the profile's values from the environment masked. The text may come from a partner."""
    for value in values_of_secrets(settings.PARTNERS, os.environ):
        text = text.replace(value, MASK)
    return text


@dataclass(frozen=True)
class ShownCall:
    """A call for display. If the profile does not have the call, `address` is empty. `headers` are the headers in the
    profile. `rules` lists the key, the value and the origin of each rule. The origin is the table of the file with the
    key, or `default`."""

    name: str
    address: str
    headers: Mapping[str, str]
    key_header: str
    rules: list[tuple[str, str, str]]


def show_call(profile: Profile, name: str) -> ShownCall:
    """Returns a call for display, with secrets masked."""
    partner, call = name.split(".")
    how, base = getattr(profile, partner), getattr(settings, f"{partner.upper()}_BASE_URL")
    own = getattr(how, call)
    whole = own.path if "://" in own.path or own.path.startswith("${") else base.rstrip("/") + own.path
    headers = {header: MASK if SECRET_NAMES.search(header) else masked(value) for header, value in how.headers.items()}
    rules = [(one, _values_words(getattr(own.answer, one)), source_of(profile, name, one)) for one in KEYS]
    if name in LOOK_UPS:
        said = profile.given.get(partner, {}).get(call, {})
        rules.append(("rows", own.rows, f"[{name}]" if "rows" in said else DEFAULT))
    return ShownCall(name, masked(whole) if own.path else "", headers, how.key_header, rules)


def lines_of_call(call: ShownCall) -> Iterator[str]:
    yield f"{call.name}  {f'POST {call.address}' if call.address else 'there is none'}"
    if not call.address:
        return
    headers = [f"{header}: {value}" for header, value in call.headers.items()]
    yield f"  headers  {', '.join(headers) or 'none of the profile'}; key in {call.key_header or 'none'}"
    for key, told, source in call.rules:
        yield f"  {key:9}{told}  ({source})"


def source_of(profile: Profile, name: str, one: str) -> str:
    """Returns the table of the file that has a key of a call's answer, or `default`."""
    partner, call = name.split(".")
    table = profile.given.get(partner, {})
    if one in table.get(call, {}).get(ANSWER, {}):
        return f"[{name}.{ANSWER}]"
    return f"[{partner}.{ANSWER}]" if one in table.get(ANSWER, {}) else DEFAULT


def show_callback(profile: Profile) -> ShownCall:
    """Returns BPM's callbacks for display. The address lists all our paths that accept callbacks."""
    how, said, rules = profile.bpm.callback, profile.given.get("bpm", {}).get("callback", {}), []
    for one in dataclasses.fields(how):
        key, value = TOML_KEYS.get((Callback, one.name), one.name), getattr(how, one.name)
        if key != "paths":
            told = "not said" if value is None else toml(value)
            rules.append((key, told, "[bpm.callback]" if key in said else DEFAULT))
    return ShownCall("bpm.callback", " ".join(("/api/bpm/approvals", *how.paths)), {}, "", rules)


def lines_of_callback(callback: ShownCall) -> Iterator[str]:
    yield f"{callback.name}  POST {callback.address}"
    for key, told, source in callback.rules:
        yield f"  {key:17}{told}  ({source})"


def _values_words(values: tuple[Any, ...]) -> str:
    return f"[{', '.join(one.as_toml if isinstance(one, Rule) else toml(one) for one in values)}]"


def lines_of_answer(profile: Profile, name: str, *, status: int, raw: bytes, charset: str = "") -> Iterator[str]:
    """Yields lines with the meaning of an answer to a call and the rule that matches."""
    partner, call = name.split(".")
    how = getattr(getattr(profile, partner), call)
    read = read_answer(how.answer, status=status, raw=raw, charset=charset or getattr(profile, partner).charset)
    if status in BY_STATUS or status // 100 in (3, 5):
        yield f"read as: HTTP {status}, which is judged by itself, whatever the answer says"
        return
    meaning, why = _meaning(how, name, read, status)
    yield f"read as: {meaning}"
    yield f"because: {why or _because(profile, name, read)}"
    for word, said in (("code", read.code), ("message", read.words), ("process", read.process)):
        if said:
            yield f"{word}: {said}"


def _meaning(how: Any, name: str, read: Reading, status: int) -> tuple[str, str]:
    """Returns (meaning of an answer, reason). If the matched rule alone determines the meaning, the reason is empty.

    The answer to a look-up must also have a list of rows. Some answers to a look-up mean "nothing there".
    """
    if read.data is not None and str(read.data.get("code")) == "409":
        return Meaning.REPEATED, "code 409 is judged as HTTP 409 is"
    if none := next((rule for rule in getattr(how, "none", ()) if rule.holds(read.data, status=status)), None):
        return "nothing there", f"{none.as_toml}  ([{name}] none)"
    if name not in LOOK_UPS or read.meaning != Meaning.SUCCESS:
        return read.meaning.replace("_", " "), ""
    rows = member(read.data, tuple(how.rows.split(".")))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return "not understood", f"no list of objects at {how.rows}"
    return f"success, {len(rows)} rows at {how.rows}", ""


def _because(profile: Profile, name: str, read: Reading) -> str:
    if read.rule is None:
        return "it is no JSON object" if read.data is None else "no rule fits"
    return f"{read.rule.as_toml}  ({source_of(profile, name, read.meaning.value)})"
