"""The `traceparent` header of W3C Trace Context, by which a call is found again at whoever it goes through.

Of it we keep the trace's id. Each call of ours is a span of its own, with the beginning of its request id.
"""

import re
import secrets

_HEADER = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


def trace_of(header: str) -> str:
    """The trace's id (32 hex digits) of a caller's header; a new one if there is none, or it makes no sense."""
    found = _HEADER.fullmatch(header.strip()) if 0 < len(header) < 512 else None
    return found[1] if found else secrets.token_hex(16)


def traceparent(trace: str, request_id: str) -> str:
    """The header of a call of ours."""
    return f"00-{trace}-{request_id[:16]}-01"
