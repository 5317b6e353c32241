"""Canonical JSON: one text for equal values, whatever the order of their keys (contract 2.2, 2.3)."""

import hashlib
import json

_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: object) -> str:
    """Compact JSON: keys sorted at every level, no spaces, non-ASCII characters unescaped.

    Raises ValueError for NaN and Infinity.
    """
    return _encoder.encode(value)


def content_hash(value: object) -> str:
    """SHA-256 (64 hex digits, lower case) of the canonical JSON in UTF-8: equal for equal content."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
