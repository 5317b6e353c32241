"""The metadata and keys of the company's OpenID provider. Each process caches both for an hour.

All calls use the shared HTTP module. So each call ends within SECONDS, follows no redirect, and uses the proxy and CA
of our settings. At most two threads of a web process wait for the provider at a time, so that the other threads stay
free for orders.
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

from integrations.outbound.failure_classification import PartnerError
from integrations.outbound.http_client import request_json
from project.base.ip_addresses import is_loopback

SECONDS = 5.0
CACHE_SECONDS = 3600.0
RETRY_AFTER_SECONDS = 10.0
"""Minimum seconds between two requests. For the metadata this holds after a failure and when a log-in starts. For the
keys it holds if a token names an unknown key."""
ALGORITHMS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
"""Allowed signature algorithms, all asymmetric, with the type of the key: never `none`, never our shared secret."""
ENDPOINTS = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization_endpoint",
    "OIDC_OP_TOKEN_ENDPOINT": "token_endpoint",
    "OIDC_OP_JWKS_ENDPOINT": "jwks_uri",
}
OPTIONAL = ("userinfo_endpoint", "end_session_endpoint")
_slots = threading.BoundedSemaphore(2)


class ProviderError(Exception):
    """The provider did not return a usable response. The message is logged. It contains no code and no token."""


class ProviderCache:
    """The provider's metadata and keys as cached by this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        self.description: dict = {}
        self.read_at = self.failed_at = self.keys_at = float("-inf")
        self.keys: list[dict] = []

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Holds the cache's lock, so that only one thread at a time calls the provider. If the lock is not free within
        a second, raises ProviderError."""
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
    """Returns True if the connection can't be intercepted: https, or plain http to this machine."""
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
    """Returns (status, JSON object or None). If the provider does not respond, or if two threads are already calling
    the provider, raises ProviderError."""
    if not _slots.acquire(timeout=1):
        raise ProviderError("others wait for the provider already")
    try:
        return request_json(url, timeout=SECONDS, **how)
    except PartnerError as error:
        raise ProviderError(f"no answer from {urlsplit(url).hostname}: {error.code}") from error
    finally:
        _slots.release()


def description(*, fresh: bool = False) -> dict:
    """Returns the validated metadata of the provider (OpenID Connect Discovery). Raises ProviderError.

    With `fresh`, metadata older than RETRY_AFTER_SECONDS are fetched again, to test that the provider is reachable.
    """
    with cache.reading():
        now = time.monotonic()
        if now - cache.read_at < (RETRY_AFTER_SECONDS if fresh else CACHE_SECONDS):
            return cache.description
        if now - cache.failed_at < RETRY_AFTER_SECONDS:
            raise ProviderError("the provider did not answer a moment ago")
        try:
            found = _fetch_description()
        except ProviderError:
            cache.failed_at = time.monotonic()
            raise
        if found["jwks_uri"] != cache.description.get("jwks_uri"):
            cache.keys_at = float("-inf")
        cache.description, cache.read_at = found, time.monotonic()
        return found


def _fetch_description() -> dict:
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
    """Returns the provider's key for a token's signature, together with the algorithm.

    For an unknown key, the keys are fetched again, at most once in RETRY_AFTER_SECONDS. Raises jwt's errors if there is
    no such key, and ProviderError if the keys can't be fetched.
    """
    header = jwt.get_unverified_header(token)
    algorithm, number = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise jwt.InvalidAlgorithmError("the token's algorithm is not allowed")
    address = description()["jwks_uri"]
    with cache.reading():
        found = _matching_keys(algorithm, number)
        if not found and time.monotonic() - cache.keys_at >= RETRY_AFTER_SECONDS:
            status, answer = call(address)
            keys = (answer or {}).get("keys")
            if status != 200 or not isinstance(keys, list):
                raise ProviderError(f"the keys were answered with {status} or are none")
            cache.keys, cache.keys_at = [key for key in keys if isinstance(key, dict)], time.monotonic()
            found = _matching_keys(algorithm, number)
    if len(found) != 1:
        raise jwt.InvalidKeyError(f"{len(found)} of the provider's keys fit the token")
    return jwt.PyJWK(found[0], algorithm=algorithm), algorithm


def _matching_keys(algorithm: str, number: str | None) -> list[dict]:
    """Returns the cached keys that match a token's algorithm and `kid`. Without `kid`, all keys of the type match."""
    return [
        key
        for key in (cache.keys if time.monotonic() - cache.keys_at < CACHE_SECONDS else ())
        if key.get("kty") == ALGORITHMS[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (number is None or key.get("kid") == number)
    ]


def scopes() -> str:
    """Returns the requested scopes. Some providers require an extra scope for the groups claim. Their metadata list
    it."""
    supported = description().get("scopes_supported")
    more = [settings.OIDC_CLAIM] if isinstance(supported, list) and settings.OIDC_CLAIM in supported else []
    return " ".join(["openid", "profile", "email", *more])


def library_setting(name: str, *default):
    """Returns a setting of mozilla-django-oidc, from our settings and the provider's metadata. If the name is unknown
    and has no default, raises ImproperlyConfigured."""
    if name in ENDPOINTS:
        return description()[ENDPOINTS[name]]
    known = {
        "OIDC_OP_USER_ENDPOINT": "",  # called in id_token.py, which verifies `sub`
        "OIDC_RP_CLIENT_ID": settings.OIDC_CLIENT_ID,
        "OIDC_RP_CLIENT_SECRET": settings.OIDC_CLIENT_SECRET,
        "OIDC_RP_SIGN_ALGO": "RS256",  # any asymmetric algorithm; id_token.py allows ALGORITHMS
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
