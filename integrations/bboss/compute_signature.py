"""The signature of a message, according to `[bboss.sign]` of the profile (contract 2.2, 7.1).

Members are signed under BBOSS's names. The functions take a message as received, or the members of a message alone.
"""

import base64
import hashlib
import hmac
import re
from typing import Any

from cryptography.hazmat.primitives.hashes import SM3, Hash
from django.conf import settings

from integrations.bboss.message_decoding import Wire
from integrations.partners.profile import KEY, VALUE, Bboss
from orders.rules.content import canonical_json

EMPTY: tuple[Any, ...] = (None, "", {}, [])
MASK = "***"
BODY, RAW, SKIP, BASE64, SORTED = "body", "raw", "skip", "base64", "sorted"
HMAC = "hmac-"
Message = Wire | dict[str, Any]


def digest(method: str, text: bytes, secret: str) -> bytes:
    """Returns the digest of a text. `method` is one of SIGN_METHODS. The key of an HMAC is the secret."""
    if method == "sm3":
        one = Hash(SM3())
        one.update(text)
        return one.finalize()
    if method.startswith(HMAC):
        return hmac.digest(secret.encode(), text, method.removeprefix(HMAC))
    return hashlib.new(method, text, usedforsecurity=False).digest()


def method_of(members: dict[str, Any], how: Bboss) -> str:
    """Returns the message's signMethod in lower case. If that is missing or unknown, returns the profile's first
    method."""
    given = members.get(how.named("signMethod", members))
    known = [method.lower() for method in how.sign.methods]
    return given.lower() if isinstance(given, str) and given.lower() in known else known[0]


def pairs_of(wire: Wire, how: Bboss) -> list[tuple[str, str]]:
    """Returns (BBOSS's name, value as text) of the signed members, in the order in which they are signed."""
    members, pairs = wire.members, []
    sign, content = how.named("sign", members), how.named("content", members)
    for name in sorted(members) if how.sign.order == SORTED else how.sign.order:
        if name == sign or name not in members or (how.sign.empty == SKIP and members[name] in EMPTY):
            continue
        value = members[name]
        if not isinstance(value, str):
            value = (how.sign.content == RAW and name == content and wire.written(name)) or canonical_json(value)
        pairs.append((name, value))
    return pairs


def put(template: str, **values: str) -> str:
    """Returns a template of the profile with its placeholders filled. Placeholders in the values are not replaced."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), template)


def text_to_sign(message: Message, secret: str, how: Bboss | None = None) -> str:
    """Returns the text to sign. The signature is its digest. By default the text consists of the secret, every key with
    its value (sorted by key), and the secret again.

    `sign` is left out. A string is used unchanged. Any other value is used as canonical JSON.
    """
    how = how or settings.PARTNERS.bboss
    rule = how.sign
    found = pairs_of(as_wire(message), how)
    if rule.pair == KEY + VALUE:  # faster than `put`: a message without a valid token may have thousands of members
        pairs = rule.between.join([name + value for name, value in found])
    else:
        pairs = rule.between.join(put(rule.pair, name=name, value=value) for name, value in found)
    return put(rule.text, secret=secret, pairs=pairs)


def sign(message: Message, secret: str, how: Bboss | None = None) -> str:
    """Returns the signature: hex in upper case, or base64. Raises UnicodeEncodeError for a character that the charset
    can't encode."""
    how, wire = how or settings.PARTNERS.bboss, as_wire(message)
    charset = wire.charset if how.sign.charset == BODY else how.sign.charset
    found = digest(method_of(wire.members, how), text_to_sign(wire, secret, how).encode(charset), secret)
    return base64.b64encode(found).decode() if how.sign.encoding == BASE64 else found.hex().upper()


def verify(message: Message, given: str, secret: str, how: Bboss | None = None) -> bool:
    """Returns True if `given` is the message's signature. Ignores the letter case of hex digits. Compares in constant
    time."""
    how = how or settings.PARTNERS.bboss
    try:
        right = sign(message, secret, how)
    except UnicodeEncodeError:
        return False
    return hmac.compare_digest(right.encode(), (given if how.sign.encoding == BASE64 else given.upper()).encode())


def masked_text_to_sign(message: Message, how: Bboss | None = None) -> str:
    """Returns the text to sign for display. The application secret and the access token are masked."""
    how, wire = how or settings.PARTNERS.bboss, as_wire(message)
    members = masked(wire.members, how.secret_names)
    return text_to_sign(Wire(members, wire.text, wire.charset), f"<{MASK} app secret {MASK}>", how)


def masked(value: Any, names: frozenset[str]) -> Any:
    """Returns a JSON value with tokens and signatures masked. Masks at any depth, because another object may contain
    the envelope."""
    if isinstance(value, list):
        return [masked(inner, names) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        key: MASK if key.lower() in names else inner if isinstance(inner, str) else masked(inner, names)
        for key, inner in value.items()
    }


def as_wire(message: Message) -> Wire:
    return message if isinstance(message, Wire) else Wire(message)
