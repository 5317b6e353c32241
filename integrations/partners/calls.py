"""The calls to partners under the profile in force (contract 7.1): their address, headers, key and rules of answers."""

import functools
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings

from integrations.partners.answers import lines_for, read_answer
from integrations.partners.profile import Answer, Profile
from integrations.partners.profile_requirements import filled
from orders.models import KeptAnswer


@dataclass(frozen=True, eq=False)
class Call:
    """A call to a partner, such as `bigdata.post`. If the partner has no such call, `url` is empty. `key_header` names
    the header with the dispatch's key, or is empty. `charset` applies to answers that declare no charset."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    key_header: str = "Idempotency-Key"
    charset: str = "utf-8"
    answer: Answer = field(default_factory=Answer)


_made: dict[tuple[str, str], tuple[Profile, Call]] = {}


def call_of(name: str) -> Call:
    """Returns the call of this name: `bigdata.post`, `bigdata.delete`, `bigdata.query`, `bigdata.traffic` or
    `bpm.start`. Calls are cached until the profile changes."""
    base = settings.BPM_BASE_URL if name == "bpm.start" else settings.BIGDATA_BASE_URL
    profile, call = _made.get((name, base), (None, None))
    if call is None or profile is not settings.PARTNERS:
        call = _call(name, base)
        _made[name, base] = (settings.PARTNERS, call)
    return call


def _call(name: str, base: str) -> Call:
    partner, _dot, which = name.partition(".")
    how = getattr(settings.PARTNERS, partner)
    own = getattr(how, which)
    path = filled(own.path, os.environ)
    whole = path if path.startswith(("http://", "https://")) else base.rstrip("/") + path
    headers = {header: filled(value, os.environ) for header, value in how.headers.items()}
    return Call(name, whole if path else "", headers, how.key_header, how.charset, own.answer)


def rules_hash(name: str) -> str:
    """Returns the hash of a call under the rules in force: its name, address and rules (contract 7.2, Proof)."""
    return _hash(call_of(name))


def read_kept(kept: KeptAnswer) -> tuple[str, str]:
    """Returns the meaning of a stored answer under the current rules, and the process id in the answer."""
    call = call_of(kept.call)
    charset = kept.charset or call.charset  # the profile's current charset: an earlier charset may have been wrong
    reading = read_answer(call.answer, status=kept.http_status or 0, raw=bytes(kept.raw), charset=charset)
    return reading.meaning.value, reading.process


def lines_of(call: str, status: int, raw: bytes, charset: str) -> tuple[str, str]:
    """Returns two lines for the profile (`lines_for`). The first line would make an answer of this call a success. The
    second line would make it a refusal."""
    how = call_of(call)
    return lines_for(call.partition(".")[0], how.answer, status=status, raw=raw, charset=charset or how.charset)


@functools.lru_cache(64)
def _hash(call: Call) -> str:
    how = call.answer
    rules = [[rule.as_toml for rule in part] for part in (how.repeated, how.success, how.later, how.refused)]
    return hashlib.sha256(json.dumps([call.name, call.url, how.unwrap, rules]).encode()).hexdigest()


def renamed(members: Mapping, names: Mapping[str, str]) -> dict:
    """Returns a record's members under the partner's names. `names` maps our names to the partner's."""
    return {names.get(name, name): value for name, value in members.items()} if names else dict(members)


def ours(members: Mapping, names: Mapping[str, str]) -> dict:
    """Returns a record's members under our names. `members` has the partner's names, and `names` maps our names to the
    partner's."""
    return renamed(members, {theirs: our for our, theirs in names.items()})


def rename_paths(body: dict, names: Mapping[str, str]) -> dict:
    """Moves members of a body from our paths to the partner's (`data.cpId` = `data.cpid`). Changes `body` and returns
    `body`."""
    for our, theirs in names.items():
        *way, last = our.split(".")
        holder = _holder(body, way, make=False)
        if holder is not None and last in holder:
            value = holder.pop(last)
            *there, name = theirs.split(".")
            target = _holder(body, there, make=True)
            if target is not None:
                target[name] = value
    return body


def _holder(body: dict, way: list[str], *, make: bool) -> dict | None:
    for name in way:
        inner = body.setdefault(name, {}) if make else body.get(name)
        if not isinstance(inner, dict):
            return None
        body = inner
    return body
