"""Formats values for requests: Asia/Shanghai times for BBOSS and billing, JSON, trace headers (contract 1 and 6)."""

import datetime
import json
import re
import secrets
from typing import Any

from orders.rules.local_time import SHANGHAI

WIRE_FORMAT = "%Y%m%d%H%M%S"
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


def wire_time(moment: datetime.datetime) -> str:
    """Formats an aware time for BBOSS and billing: `20230920185436`."""
    return moment.astimezone(SHANGHAI).strftime(WIRE_FORMAT)


def encode(data: dict[str, Any]) -> str:
    """Returns compact JSON, with members in the given order and non-ASCII characters unescaped, to be sent as UTF-8."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def trace_of(header: str) -> str:
    """Returns the trace id (32 hex digits) in a caller's `traceparent` header (W3C Trace Context). The trace id links a
    call across systems. If the header is missing or invalid, returns a new id."""
    found = _TRACEPARENT.fullmatch(header.strip()) if 0 < len(header) < 512 else None
    return found[1] if found else secrets.token_hex(16)


def traceparent(trace: str, request_id: str) -> str:
    """Returns the `traceparent` header of an outgoing call. The span id is the beginning of the request id."""
    return f"00-{trace}-{request_id[:16]}-01"
