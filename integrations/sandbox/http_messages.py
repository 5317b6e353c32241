"""The requests to partners and their responses."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Literal

Manner = Literal["at_once", "drip", "reset"]


@dataclass(frozen=True)
class SandboxRequest:
    """One call to a partner: address, `Idempotency-Key`, `X-Request-Id` and the exact bytes (contract section 3.5).

    If the profile has a key header, `keyed` is True. Otherwise `key` is a hash of the bytes, or "". `wrong` is a header
    of the profile that is missing or wrong, or "".
    """

    path: str
    key: str
    request_id: str
    body: bytes
    keyed: bool = True
    wrong: str = ""

    @cached_property
    def digest(self) -> str:
        """Returns a digest of path and bytes."""
        return sha256(self.path.encode() + b"\n" + self.body).hexdigest()


@dataclass(frozen=True)
class SandboxResponse:
    """A response. Depending on `manner`, it is sent at once, byte by byte over `seconds` (`drip`), or not at all
    (`reset`)."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"
    manner: Manner = "at_once"
    seconds: float = 0


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_response(value: object, status: int = 200, **headers: str) -> SandboxResponse:
    return SandboxResponse(status, compact(value).encode(), headers)
