"""The content of an order, between wire and core: its members and its hash (contract 2.2 to 2.4)."""

import datetime
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MAX_DOMAINS = 20_000  # of one order
HashOf = Callable[[dict[str, Any] | str], str]
"""The hash of what we kept of an order (a dict) or a message (its body), as today's profile reads it."""
_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, kw_only=True)
class OrderContent:
    """The fields of BBOSS's `content` under our names (contract 2.4). None or empty: not given."""

    kind: str
    number: str
    trial_number: str = ""
    domains: tuple[str, ...] | None = None
    service_type: str = ""
    attribution: str = ""
    biz_start: datetime.date | None = None
    biz_end: datetime.date | None = None
    enterprise_id: str = ""
    enterprise_name: str = ""
    cp_id: str = ""
    user_id: str = ""
    oper_user: str = ""
    oper_tel: str = ""
    oper_mail: str = ""
    prod_type: str = ""
    product_id: str = ""
    billing_method: str = ""
    data_flow: str = ""
    info_security: str = ""
    info_security_table: str = ""
    busi_info: str = ""


@dataclass(frozen=True)
class TrialMember:
    """A field of a trial's content. `is_day`: the field's value is a date."""

    name: str
    required: bool
    is_day: bool


@dataclass(frozen=True)
class MemberFault:
    """An invalid field in a form: an error code with its parameters, which are JSON values."""

    member: str
    code: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The acknowledgement to the sender: our first number of this order, and a flag that is True if the order was
    already known."""

    order_number: str
    trans_idh: str
    repeated: bool


def canonical_json(value: object) -> str:
    """Returns compact JSON with sorted keys and unescaped characters. Raises ValueError for NaN and Infinity."""
    return _encoder.encode(value)


def content_hash(value: object) -> str:
    """Returns the SHA-256 (64 hex digits, lower case) of the canonical JSON in UTF-8."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def shown(value: object) -> str:
    """Returns a sender's value for a response or a log: quoted, with control characters escaped, and cut to 80
    characters.
    """
    return ascii(value)[:80]
