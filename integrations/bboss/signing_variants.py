"""Tries the known signing variants of partners on one message (contract 7.3, `verify_message`).

A variant is a `[bboss.sign]` table. Variants that sign all members are tried before variants that omit some members. If
texts begin alike, the digest of their common beginning is computed once. So a thousand variants take less than a
second.
"""

import base64
import binascii
import hashlib
import hmac
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from cryptography.hazmat.primitives.hashes import SM3, Hash

from integrations.bboss.compute_signature import BASE64, BODY, EMPTY, HMAC, RAW, SKIP, SORTED, put, verify
from integrations.bboss.message_decoding import Wire
from integrations.partners.member_rules import toml
from integrations.partners.profile import PAIRS, SECRET, SIGN_METHODS, Bboss, Sign
from orders.rules.content import canonical_json

MAX_CPU_SECONDS = 1.5  # CPU time, so that a busy machine gives the same result
SIZES = {"md5": 16, "hmac-md5": 16, "sha256": 32, "sm3": 32, "hmac-sha256": 32}
EQUAL, NAMED, VALUES = "{name}={value}", "{name}{value}", "{value}"
FORMS = [
    *((NAMED, ""), (EQUAL, "&"), (EQUAL, ""), (VALUES, ""), (VALUES, "&"), (VALUES, "|"), (VALUES, ",")),
    *((EQUAL, ","), (EQUAL, "|"), (EQUAL, ";"), (EQUAL, "\n"), (NAMED, "&"), (NAMED, ","), (NAMED, "|")),
    *(("{name}:{value}", ""), ("{name}:{value}", ","), ("{name}:{value}", "&"), (VALUES, ";"), (VALUES, "\n")),
    *((VALUES, " "), (VALUES, "-"), (VALUES, "_"), (VALUES, "#"), (VALUES, "+"), (VALUES, "$")),
]
"""(`pair`, `between`) of `[bboss.sign]`."""
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
USUAL_FORMS, USUAL_TEXTS = 7, 8  # the number of usual entries at the beginning of FORMS and TEXTS
FEW = 3  # the longest list whose members are tried in every order


@dataclass(frozen=True)
class Found:
    """A variant with which the signature is valid, with the index of the secret and the digest method."""

    sign: Sign
    secret: int
    method: str

    def missing(self, wire: Wire, how: Bboss) -> list[str]:
        """Returns the members that this variant leaves unsigned although they must be signed (contract 7.4)."""
        names = wire.members if self.sign.order == SORTED else self.sign.order
        return [one for one in ("content", "timeStamp", "transIDO") if how.named(one, wire.members) not in names]

    def lines(self) -> list[str]:
        """Returns the lines of the profile for this variant. Default values are left out."""
        standard = Sign()
        found = ((one.name, getattr(self.sign, one.name)) for one in fields(Sign))
        told = (f"{name} = {toml(value)}" for name, value in found if value != getattr(standard, name))
        return ["[bboss.sign]", *told]


def digest_of(given: str) -> tuple[bytes, str]:
    """Returns a signature's bytes and the name of its encoding. A signature that is neither hex nor base64 has no
    bytes."""
    try:
        return bytes.fromhex(given), "hex"
    except ValueError:
        pass
    try:
        return base64.b64decode(given, validate=True), BASE64
    except (binascii.Error, ValueError):
        return b"", ""


def find_variant(wire: Wire, given: str, secrets: list[str], how: Bboss, declared: str) -> Found | None:
    """Returns the first variant with which the signature is valid, or None. `declared` is the message's signMethod in
    lower case."""
    wanted, encoding = digest_of(given)
    methods = [method for method in SIGN_METHODS if SIZES[method] == len(wanted)]
    if declared in methods:
        methods = [declared]
    end, sign_name = time.thread_time() + MAX_CPU_SECONDS, how.named("sign", wire.members)
    names = [name for name in wire.members if name != sign_name]
    seen: set[tuple[tuple[str, ...], bool]] = set()
    for order, usual, surely in _lists(names, how.named("content", wire.members)):
        if not surely and time.thread_time() > end:
            return None
        if (order, usual) in seen:
            continue
        seen.add((order, usual))
        for found in _of_list(wire, order, how, methods, secrets, wanted, usual=usual):
            way = replace(found, sign=replace(found.sign, encoding=encoding))
            tried = replace(how, sign=replace(way.sign, methods=(way.method,)))
            if declared != way.method or verify(wire, given, secrets[way.secret], tried):
                return way
    return None


def _lists(names: list[str], content: str) -> Iterator[tuple[tuple[str, ...], bool, bool]]:
    """Yields (members to sign, `usual`, `surely`). If `usual` is true, only the usual forms and texts are tried. If
    `surely` is true, the members are tried even after MAX_CPU_SECONDS."""
    whole = [
        tuple(order) for order in (sorted(names), names, sorted(names, key=str.lower), sorted(names, reverse=True))
    ]
    yield from ((order, False, True) for order in whole)
    usual = [(content,), ("signMethod",), ("accessToken",)]
    yield from ((tuple(one for one in order if one not in out), False, True) for out in usual for order in whole[:2])
    without = [(name,) for name in names if name != content]
    without += [("signMethod", "accessToken"), ("signMethod", "version"), ("cutOffDay", "busType"), (content,)]
    without += [(content, name) for name in names]
    fewer = [tuple(one for one in order if one not in out) for out in without for order in whole[:3]]
    yield from ((order, True, True) for order in fewer)
    for number in range(FEW, 0, -1):
        yield from ((few, True, False) for few in itertools.permutations(names, number) if content in few)
    for number in range(FEW, 0, -1):
        yield from ((few, True, False) for few in itertools.permutations(names, number) if content not in few)
    yield from ((order, False, False) for order in fewer)
    for out in itertools.combinations(names, 2):
        yield from ((tuple(one for one in order if one not in out), True, False) for order in whole[:2])


def _of_list(
    wire: Wire,
    names: tuple[str, ...],
    how: Bboss,
    methods: list[str],
    secrets: list[str],
    wanted: bytes,
    *,
    usual: bool,
) -> Iterator[Found]:
    everything = [name for name in sorted(wire.members) if name != how.named("sign", wire.members)]
    order: Any = SORTED if list(names) == everything else names
    for sign, members in _variants(wire, names, how):
        for pair, between in FORMS[:USUAL_FORMS] if usual else FORMS:
            text = between.join(put(pair, name=name, value=value) for name, value in members)
            try:
                pairs = text.encode(wire.charset if sign.charset == BODY else sign.charset)
            except UnicodeEncodeError:
                continue
            begun: dict[tuple[str, str], Any] = {}
            for (place, secret), method in itertools.product(enumerate(secrets), methods):
                texts = [PAIRS, *TEXTS] if method.startswith(HMAC) else TEXTS
                for template in _matching(
                    method, secret, pairs, texts[:USUAL_TEXTS] if usual else texts, wanted, begun
                ):
                    shape = {"order": order, "pair": pair, "between": between, "text": template}
                    yield Found(replace(sign, methods=(method,), **shape), place, method)


def _variants(wire: Wire, names: Iterable[str], how: Bboss) -> Iterator[tuple[Sign, list[tuple[str, str]]]]:
    """Yields (rules, members with values as text) for each variant of the charset, the content and the empty
    members."""
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


def _matching(
    method: str, secret: str, pairs: bytes, texts: list[str], wanted: bytes, begun: dict[tuple[str, str], Any]
) -> Iterator[str]:
    """Yields the templates that result in a text with the digest `wanted`. `begun` caches the state of the hash after
    the pairs. Its key consists of the method (with the secret of an HMAC) and the text before the pairs."""
    keyed = f"{method} {secret}" if method.startswith(HMAC) else method
    for template in texts:
        before, _, after = template.replace(SECRET, secret).partition(PAIRS)
        if (keyed, before) not in begun:
            one = begun[keyed, before] = _hasher(method, secret)
            one.update(before.encode() + pairs)
        one = begun[keyed, before].copy()
        one.update(after.encode())
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
