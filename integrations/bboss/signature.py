"""The base service platform's signature (contract 2.2)."""

import hashlib
import hmac
from typing import Any

from orders.db.canonical import canonical_json

MASK = "***"
SECRET_NAMES = {"accesstoken", "sign"}  # in lower case


def text_to_sign(members: dict[str, Any], secret: str) -> str:
    """The text whose MD5 is the signature: secret, every key with its value in order of keys, secret.

    `sign` is left out. A string enters as it is, any other value as canonical JSON.
    """
    parts = [key + _value(members[key]) for key in sorted(members) if key != "sign"]
    return "".join([secret, *parts, secret])


def _value(value: object) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def sign(members: dict[str, Any], secret: str) -> str:
    """The signature: 32 hex digits in upper case."""
    digest = hashlib.md5(text_to_sign(members, secret).encode(), usedforsecurity=False)
    return digest.hexdigest().upper()


def verify(members: dict[str, Any], given: str, secret: str) -> bool:
    """Whether `given` signs the members, in any letter case. Compares in constant time."""
    return hmac.compare_digest(sign(members, secret).encode(), given.upper().encode())


def masked_text(members: dict[str, Any]) -> str:
    """The text to sign as it may be shown: application secret and access token made unreadable."""
    shown = {key: MASK if key.lower() in SECRET_NAMES else value for key, value in members.items()}
    return text_to_sign(shown, f"<{MASK} app secret {MASK}>")
