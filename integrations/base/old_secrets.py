"""Old secrets, which stay valid while a secret is replaced, and the last use of each (contract 4).

A separate thread records uses, at most once a minute for each secret and process, so no request waits for a record. The
table stores only 16 bits of a secret's hash. Many other texts have the same 16 bits, so a guess that matches them
proves nothing.
"""

import datetime
import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from django.apps import apps
from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.db import Error, connections
from django.db.models import Manager
from django.utils import timezone

from integrations.base.database_deadline import CHECK_SECONDS, database_deadline

logger = logging.getLogger(__name__)
NOTED_EVERY = 60.0  # seconds
_noted: dict[str, float] = {}  # by row name: monotonic time of the last record by this process


class Kind(NamedTuple):
    """The secrets for one purpose. `setting` names the setting with the current secret. `old` names the setting with
    the old secrets."""

    setting: str
    old: str

    def current(self) -> str:
        return getattr(settings, self.setting)

    def old_values(self) -> list[str]:
        return getattr(settings, self.old)


class Tokens(Kind):
    """BBOSS's tokens, which are all in one setting. The newest token is the current secret. All other tokens are
    old."""

    def current(self) -> str:
        return max(settings.BBOSS_ACCESS_TOKENS, key=_issued_at, default="")

    def old_values(self) -> list[str]:
        newest = self.current()
        return [token for token in settings.BBOSS_ACCESS_TOKENS if token != newest]


def _issued_at(token: str) -> int:
    """Returns the issue time (seconds since 1970) at the end of a token. Returns 0 for a malformed token, which `check`
    reports (desk.002)."""
    end = token.rpartition("-")[2]
    return int(end) if end.isascii() and end.isdigit() else 0


SIGNING_KEY = Kind("SECRET_KEY", "SECRET_KEY_FALLBACKS")
APP_SECRET = Kind("BBOSS_APP_SECRET", "BBOSS_APP_SECRETS_OLD")
ACCESS_TOKEN = Tokens("BBOSS_ACCESS_TOKENS", "BBOSS_ACCESS_TOKENS")
CALLBACK_SECRET = Kind("BPM_CALLBACK_SECRET", "BPM_CALLBACK_SECRETS_OLD")
FACTOR_KEY = Kind("MFA_KEY", "MFA_KEYS_OLD")
SECRET_KINDS = (SIGNING_KEY, APP_SECRET, ACCESS_TOKEN, CALLBACK_SECRET, FACTOR_KEY)


def matching_secret(kind: Kind, is_right: Callable[[str], bool]) -> str | None:
    """Returns the first secret, current or old, for which `is_right(secret)` is true, or None. Skips empty secrets,
    because anybody could sign with an empty secret."""
    return next((secret for secret in [kind.current(), *kind.old_values()] if secret and is_right(secret)), None)


def signing_key(signed: str, salt: str) -> str | None:
    """Returns the key that was used to sign a text with Django's TimestampSigner, or None if it is none of our keys."""

    def is_right(key: str) -> bool:
        try:
            TimestampSigner(key=key, salt=salt, fallback_keys=[]).unsign(signed)
        except BadSignature:
            return False
        return True

    return matching_secret(SIGNING_KEY, is_right)


def note_use(kind: Kind, secret: str) -> None:
    """Records the use of an old secret. Ignores the current secret, even if it is in both settings."""
    if secret == kind.current() or secret not in kind.old_values():
        return
    name, since = _name(kind, secret), time.monotonic()
    if since - _noted.get(name, -NOTED_EVERY) >= NOTED_EVERY:
        _noted[name] = since
        start_thread(_write, name, timezone.now())


def start_thread(work: Callable[..., None], *args: object) -> None:
    threading.Thread(target=work, args=args, daemon=True).start()


def _write(name: str, now: datetime.datetime) -> None:
    try:
        with database_deadline(CHECK_SECONDS):
            uses = _uses()
            uses.bulk_create(
                [uses.model(name=name, used_at=now)],
                update_conflicts=True,
                unique_fields=["name"],
                update_fields=["used_at"],
            )
    except Error as error:
        logger.warning("the use of an old secret (%s) was not noted: %s", name, error)
    finally:
        connections.close_all()


def _uses() -> Manager:
    """Returns the manager of SecretUse. The model is not imported at the top, because the demo and benchmarks sign
    without Django's apps."""
    return apps.get_model("integrations", "SecretUse")._default_manager


def _name(kind: Kind, secret: str) -> str:
    return f"{kind.old} {hashlib.sha256(secret.encode()).hexdigest()[:4]}"


@dataclass(frozen=True)
class OldSecret:
    """An old secret that is still configured, without its value.

    `number` is the position of the secret in the setting, from 1. `used_at` is the time of the last use, or None. This
    time may be up to a minute too early.
    """

    setting: str
    number: int
    used_at: datetime.datetime | None


def old_secrets() -> list[OldSecret]:
    """Returns all configured old secrets. One query."""
    uses = dict(_uses().values_list("name", "used_at"))
    return [
        OldSecret(kind.old, getattr(settings, kind.old).index(secret) + 1, uses.get(_name(kind, secret)))
        for kind in SECRET_KINDS
        for secret in kind.old_values()
    ]
