"""The signature of BPM's callbacks: HMAC-SHA256 over the raw body, in hex (contract 3.6)."""

import hashlib
import hmac


def sign(body: bytes, secret: str) -> str:
    """Returns the value of X-Signature for this body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_signed(body: bytes, given: str, secret: str) -> bool:
    """Returns True if `given` is the signature, ignoring letter case. Compares in constant time. Returns False if the
    secret is empty."""
    return bool(secret) and hmac.compare_digest(sign(body, secret).encode(), given.strip().lower().encode())
