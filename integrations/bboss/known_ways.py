"""The ways in which partners are known to sign, tried on one message (contract 7.3, `verify_message`).

A way is a `[bboss.sign]`. Ways that sign all members come first, then lists that leave some out. Digests of what many
ways share are made once, so that a thousand ways take no second.
"""

import base64
import binascii
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from cryptography.hazmat.primitives.hashes import SM3, Hash

from integrations.bboss.signing import BASE64, BODY, EMPTY, HMAC, RAW, SKIP, SORTED, put, verify
from integrations.bboss.wire import Wire
from integrations.partners.profile import PAIRS, SECRET, SIGN_METHODS, Bboss, Sign
from orders.content import canonical_json

SECONDS = 1.5
SIZES = {"md5": 16, "hmac-md5": 16, "sha256": 32, "sm3": 32, "hmac-sha256": 32}
EQUAL, NAMED, VALUES = "{name}={value}", "{name}{value}", "{value}"
FORMS = [
    *((NAMED, ""), (EQUAL, "&"), (EQUAL, ""), (VALUES, ""), (VALUES, "&"), (VALUES, "|"), (VALUES, ",")),
    *((EQUAL, ","), (EQUAL, "|"), (EQUAL, ";"), (EQUAL, "\n"), (NAMED, "&"), (NAMED, ","), (NAMED, "|")),
    *(("{name}:{value}", ""), ("{name}:{value}", ","), ("{name}:{value}", "&"), (VALUES, ";"), (VALUES, "\n")),
    *((VALUES, " "), (VALUES, "-"), (VALUES, "_"), (VALUES, "#"), (VALUES, "+"), (VALUES, "$")),
]
"""`pair` and `between`."""
TEXTS = [
    *("{secret}{pairs}{secret}", "{pairs}&key={secret}", "{pairs}{secret}", "{secret}{pairs}"),
    *("{pairs}&secret={secret}", "{pairs}&appSecret={secret}", "{pairs}&{secret}", "{secret}&{pairs}"),
    *("{secret}&{pairs}&{secret}", "{pairs}&appsecret={secret}", "{pairs}&app_secret={secret}"),
    *("{pairs}&appKey={secret}", "{pairs}&appkey={secret}", "{pairs}&secretKey={secret}", "{pairs}&KEY={secret}"),
    *("{pairs}&Key={secret}", "{pairs}&secret_key={secret}", "{pairs}&sign_key={secret}", "{pairs}&signKey={secret}"),
    *("{pairs}key={secret}", "{pairs}key{secret}", "{pairs}&key{secret}", "key={secret}&{pairs}"),
    *("secret={secret}&{pairs}", "appSecret={secret}&{pairs}", "{pairs}secret={secret}", "{pairs}appSecret={secret}"),
    *("{pairs}secret{secret}", "{pairs}appSecret{secret}", "{pairs}|{secret}", "{secret}|{pairs}"),
    *("{pairs},{secret}", "{secret},{pairs}", "{pairs}\n{secret}", "{pairs}|key={secret}", "{pairs},key={secret}"),
]
USUAL_FORMS, USUAL_TEXTS = 7, 6  # the first ones; for lists of few members
FEW = 3


@dataclass(frozen=True)
class Found:
    """A way that makes the sign right, and by which secret: its place."""

    sign: Sign
    secret: int
    method: str

    def missing(self, wire: Wire, how: Bboss) -> list[str]:
        """Returns which of the members that must be signed are outside (contract 7.4)."""
        names = wire.members if self.sign.order == SORTED else self.sign.order
        return [one for one in ("content", "timeStamp", "transIDO") if how.named(one, wire.members) not in names]

    def lines(self) -> list[str]:
        """Returns the lines of the profile."""
        standard = Sign()
        found = ((one.name, getattr(self.sign, one.name)) for one in fields(Sign))
        told = (f"{name} = {_toml(value)}" for name, value in found if value != getattr(standard, name))
        return ["[bboss.sign]", *told]


def _toml(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def digest_of(given: str) -> tuple[bytes, str]:
    """Returns a sign's bytes and its encoding; no bytes if it is neither hex nor base64."""
    try:
        return bytes.fromhex(given), "hex"
    except ValueError:
        pass
    try:
        return base64.b64decode(given, validate=True), BASE64
    except (binascii.Error, ValueError):
        return b"", ""


def find_way(wire: Wire, given: str, secrets: list[str], how: Bboss, declared: str) -> Found | None:
    """Returns the first way that makes the sign right. `declared`: the message's signMethod, in lower case."""
    wanted, encoding = digest_of(given)
    methods = [method for method in SIGN_METHODS if SIZES[method] == len(wanted)]
    if declared in methods:
        methods = [declared]
    end, sign_name = time.monotonic() + SECONDS, how.named("sign", wire.members)
    seen: set[tuple[str, ...]] = set()
    for names, few in _lists([name for name in wire.members if name != sign_name], how.named("content", wire.members)):
        if names in seen:
            continue
        seen.add(names)
        if few and time.monotonic() > end:
            return None
        for found in _of_list(wire, names, how, methods, secrets, wanted, few=few):
            way = replace(found, sign=replace(found.sign, encoding=encoding))
            tried = replace(how, sign=replace(way.sign, methods=(way.method,)))
            if declared != way.method or verify(wire, given, secrets[way.secret], tried):
                return way
    return None


def _lists(names: list[str], content: str) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Yields lists of members, and whether they are of the many that are tried only while there is time."""
    whole = [sorted(names), names, sorted(names, key=str.lower), sorted(names, reverse=True)]
    yield from ((tuple(order), False) for order in whole)
    for left_out in [(name,) for name in names if name != content]:
        yield from ((tuple(one for one in order if one not in left_out), False) for order in whole[:3])
    without = [("signMethod", "accessToken"), ("signMethod", "version"), ("cutOffDay", "busType"), (content,)]
    without += [(content, name) for name in names]
    for left_out in without:
        yield from ((tuple(one for one in order if one not in left_out), False) for order in whole[:3])
    for number in range(FEW, 0, -1):
        yield from ((chosen, True) for chosen in itertools.permutations(names, number) if content in chosen)
    for number in range(FEW, 0, -1):
        yield from ((chosen, True) for chosen in itertools.permutations(names, number) if content not in chosen)
    for left_out in itertools.combinations(names, 2):
        yield from ((tuple(one for one in order if one not in left_out), True) for order in whole[:2])
    for number in (4, 5):
        yield from ((chosen, True) for chosen in itertools.combinations(sorted(names), number))


def _of_list(
    wire: Wire, names: tuple[str, ...], how: Bboss, methods: list[str], secrets: list[str], wanted: bytes, *, few: bool
) -> Iterator[Found]:
    everything = [name for name in sorted(wire.members) if name != how.named("sign", wire.members)]
    order: Any = SORTED if list(names) == everything else names
    for sign, members in _variants(wire, names, how):
        for pair, between in FORMS[:USUAL_FORMS] if few else FORMS:
            text = between.join(put(pair, name=name, value=value) for name, value in members)
            try:
                pairs = text.encode(wire.charset if sign.charset == BODY else sign.charset)
            except UnicodeEncodeError:
                continue
            for (place, secret), method in itertools.product(enumerate(secrets), methods):
                texts = [PAIRS, *TEXTS] if method.startswith(HMAC) else TEXTS
                for template in _matching(method, secret, pairs, texts[:USUAL_TEXTS] if few else texts, wanted):
                    shape = {"order": order, "pair": pair, "between": between, "text": template}
                    yield Found(replace(sign, methods=(method,), **shape), place, method)


def _variants(wire: Wire, names: Iterable[str], how: Bboss) -> Iterator[tuple[Sign, list[tuple[str, str]]]]:
    """Yields the members with their values as text, in each of the ways in which values may enter."""
    content, texts = how.named("content", wire.members), {}
    for name in names:
        value = wire.members[name]
        texts[name] = value if isinstance(value, str) else canonical_json(value)
    raw = texts | {content: wire.written(content)} if isinstance(wire.members.get(content), dict) else texts
    charsets = ["utf-8"] if wire.charset == "utf-8" or wire.text.isascii() else ["utf-8", BODY]
    filled = [name for name in names if wire.members[name] not in EMPTY]
    for charset in charsets:
        for which, values in (("canonical", texts), (RAW, raw)):
            if which == RAW and (content not in texts or raw[content] == texts[content]):
                continue
            sign = Sign(content=which, charset=charset)
            yield sign, [(name, values[name]) for name in names]
            if len(filled) < len(texts):
                yield replace(sign, empty=SKIP), [(name, values[name]) for name in filled]


def _matching(method: str, secret: str, pairs: bytes, texts: list[str], wanted: bytes) -> Iterator[str]:
    """Yields the templates whose digest is the wanted one. What stands before the last place is digested once."""
    begun: dict[str, Any] = {}
    for template in texts:
        before, _, after = template.partition(PAIRS)
        if before not in begun:
            begun[before] = _hasher(method, secret)
            begun[before].update(before.replace(SECRET, secret).encode() + pairs)
        one = begun[before].copy()
        one.update(after.replace(SECRET, secret).encode())
        if _ended(one) == wanted:
            yield template


def _hasher(method: str, secret: str) -> Any:
    if method == "sm3":
        return Hash(SM3())
    if method.startswith(HMAC):
        return hmac.new(secret.encode(), digestmod=method.removeprefix(HMAC))
    return hashlib.new(method, usedforsecurity=False)


def _ended(one: Any) -> bytes:
    end: Callable[[], bytes] = one.finalize if isinstance(one, Hash) else one.digest
    return end()
