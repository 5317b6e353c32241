"""The company's OpenID provider: its description and its keys. Each process caches both for an hour.

All calls go through the seam for HTTP, so each ends within SECONDS, follows no redirect, and takes proxy and CA from
our settings. At most two threads of a web process wait for the provider at a time: the others stay free for orders.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import jwt
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse

from integrations.outbound.http_client import PartnerError, request_json
from project.base.ip_addresses import is_loopback

SECONDS = 5.0
CACHE_SECONDS = 3600.0
RETRY_AFTER_SECONDS = 10.0
"""So long nobody asks anew: for the description after a failure, and where a log-in starts; and for keys that the
provider did not name."""
ALGORITHMS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
"""Signatures by a key that only the provider has, with the type of the key: never `none`, never our shared secret."""
ENDPOINTS = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization_endpoint",
    "OIDC_OP_TOKEN_ENDPOINT": "token_endpoint",
    "OIDC_OP_JWKS_ENDPOINT": "jwks_uri",
}
OPTIONAL = ("userinfo_endpoint", "end_session_endpoint")
_turns = threading.BoundedSemaphore(2)


class ProviderError(Exception):
    """The provider gave no usable answer. The text is for the log, and holds no code and no token."""


class ProviderCache:
    """The provider's description and keys, as this process has read them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        self.description: dict = {}
        self.read_at = self.failed_at = self.keys_at = float("-inf")
        self.keys: list[dict] = []

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Only one thread reads anew at a time. Others wait a second, not as long as the provider takes."""
        if not self.lock.acquire(timeout=1):
            raise ProviderError("another thread waits for the provider already")
        try:
            yield
        finally:
            self.lock.release()


cache = ProviderCache()


def callback_address() -> str:
    return settings.SITE_URL + reverse("company_callback")


def is_safe(url: object) -> bool:
    """Returns True if nobody can listen: https, or plain http to this machine."""
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
        )
    except ValueError:
        return False


def call(url: str, **how) -> tuple[int, dict | None]:
    """(status, JSON object or None). Raises ProviderError if no answer comes, or too many wait for one."""
    if not _turns.acquire(timeout=1):
        raise ProviderError("others wait for the provider already")
    try:
        return request_json(url, timeout=SECONDS, **how)
    except PartnerError as error:
        raise ProviderError(f"no answer from {urlsplit(url).hostname}: {error.code}") from error
    finally:
        _turns.release()


def description(*, fresh: bool = False) -> dict:
    """The provider's own description (OpenID Connect Discovery), checked. Raises ProviderError.

    `fresh`: it must have come within RETRY_AFTER_SECONDS, so the provider is there.
    """
    with cache.reading():
        now = time.monotonic()
        if now - cache.read_at < (RETRY_AFTER_SECONDS if fresh else CACHE_SECONDS):
            return cache.description
        if now - cache.failed_at < RETRY_AFTER_SECONDS:
            raise ProviderError("the provider did not answer a moment ago")
        try:
            found = _read_description()
        except ProviderError:
            cache.failed_at = time.monotonic()
            raise
        if found["jwks_uri"] != cache.description.get("jwks_uri"):
            cache.keys_at = float("-inf")
        cache.description, cache.read_at = found, time.monotonic()
        return found


def _read_description() -> dict:
    status, found = call(f"{settings.OIDC_ISSUER}/.well-known/openid-configuration")
    if status != 200 or found is None:
        raise ProviderError(f"the description was answered with {status} or is no JSON object")
    if str(found.get("issuer", "")).rstrip("/") != settings.OIDC_ISSUER:
        raise ProviderError("the description is of another issuer than OIDC_ISSUER")
    optional = [name for name in OPTIONAL if found.get(name)]
    if wrong := [name for name in (*ENDPOINTS.values(), *optional) if not is_safe(found.get(name))]:
        raise ProviderError(f"the description lacks {', '.join(wrong)}, or names it without https")
    return found


def key_of(token: str) -> tuple[jwt.PyJWK, str]:
    """The provider's key that should have signed a token, and the algorithm.

    The keys are read again once the token names one that is not among them, but not all the time. Raises jwt's errors
    for a token without such a key, ProviderError if the keys can't be read.
    """
    header = jwt.get_unverified_header(token)
    algorithm, number = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise jwt.InvalidAlgorithmError("the token's algorithm is not allowed")
    address = description()["jwks_uri"]
    with cache.reading():
        found = _fitting(algorithm, number)
        if not found and time.monotonic() - cache.keys_at >= RETRY_AFTER_SECONDS:
            status, answer = call(address)
            keys = (answer or {}).get("keys")
            if status != 200 or not isinstance(keys, list):
                raise ProviderError(f"the keys were answered with {status} or are none")
            cache.keys, cache.keys_at = [key for key in keys if isinstance(key, dict)], time.monotonic()
            found = _fitting(algorithm, number)
    if len(found) != 1:
        raise jwt.InvalidKeyError(f"{len(found)} of the provider's keys fit the token")
    return jwt.PyJWK(found[0], algorithm=algorithm), algorithm


def _fitting(algorithm: str, number: str | None) -> list[dict]:
    """The kept keys of a token. One without `kid` may be signed by the only key of its type."""
    return [
        key
        for key in (cache.keys if time.monotonic() - cache.keys_at < CACHE_SECONDS else ())
        if key.get("kty") == ALGORITHMS[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (number is None or key.get("kid") == number)
    ]


def scopes() -> str:
    """Returns the requested scopes. At some providers the claim of groups is a scope of its own, which their
    description lists."""
    supported = description().get("scopes_supported")
    more = [settings.OIDC_CLAIM] if isinstance(supported, list) and settings.OIDC_CLAIM in supported else []
    return " ".join(["openid", "profile", "email", *more])


def library_setting(name: str, *default):
    """A setting of mozilla-django-oidc's. Ours and the provider's description take the place of Django's settings."""
    if name in ENDPOINTS:
        return description()[ENDPOINTS[name]]
    known = {
        "OIDC_OP_USER_ENDPOINT": "",  # asked in id_token.py, which compares its `sub`
        "OIDC_RP_CLIENT_ID": settings.OIDC_CLIENT_ID,
        "OIDC_RP_CLIENT_SECRET": settings.OIDC_CLIENT_SECRET,
        "OIDC_RP_SIGN_ALGO": "RS256",  # one with the provider's keys; id_token.py allows ALGORITHMS
        "OIDC_USE_PKCE": True,
        "OIDC_AUTHENTICATION_CALLBACK_URL": "company_callback",
    }
    if name == "OIDC_RP_SCOPES":
        return scopes()
    if name in known:
        return known[name]
    if default:
        return default[0]
    raise ImproperlyConfigured(f"mozilla-django-oidc wants {name}")
