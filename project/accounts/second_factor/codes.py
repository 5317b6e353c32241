"""The second factor's secret and codes: setup, verification, renewal and reset.

mfa_required.py decides who needs a second factor. Secrets are encrypted with MFA_KEY. A secret that was encrypted with
a key of MFA_KEYS_OLD is encrypted again with MFA_KEY when it is next used.
"""

import base64
import datetime
import hashlib
import logging
import re
import secrets
from collections.abc import MutableMapping
from urllib.parse import quote, urlencode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django_otp.oath import TOTP

from integrations.base.old_secrets import FACTOR_KEY, matching_secret, note_use
from orders.history.actors import staff_actor
from orders.history.order_locks_and_events import add_event
from project.accounts.session_revocation import end_sessions
from project.models import AuthenticatorApp, RecoveryCode, User

ISSUER = "IBS Order Desk"  # shown in the authenticator app
SECRET_BYTES, RECOVERY_BYTES = 20, 10
RECOVERY_CODES = 10
TOLERANCE = 1  # time steps of 30 seconds, for phones with a wrong clock
APP_CODE, RECOVERY_CODE = re.compile("[0-9]{6}", re.ASCII), re.compile("[a-z2-7]{16}")
logger = logging.getLogger(__name__)


# --- Secrets


def fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in (settings.MFA_KEY, *settings.MFA_KEYS_OLD)])


def _reads(key: str, secret: str) -> bool:
    try:
        Fernet(key).decrypt(secret)
    except InvalidToken:
        return False
    return True


def secret_in(kept: MutableMapping, name: str) -> str:
    """Returns the encrypted secret of an app that is being set up. The secret is stored in `kept` under this name. If
    `kept` has no secret that our keys can decrypt, creates and stores one."""
    try:
        fernet().decrypt(kept.get(name, ""))
    except InvalidToken:
        kept[name] = fernet().encrypt(secrets.token_bytes(SECRET_BYTES)).decode()
    return kept[name]


def key_words(secret: str) -> str:
    """Returns the secret for manual entry, in groups of four characters."""
    key = base64.b32encode(fernet().decrypt(secret)).decode()
    return " ".join(key[place : place + 4] for place in range(0, len(key), 4))


def app_address(secret: str, user: User, host: str) -> str:
    """Returns the content of the QR code (Google Authenticator's Key URI Format). It contains the host. Without the
    host, an app would replace another entry of the same name."""
    asked = {"secret": key_words(secret).replace(" ", ""), "issuer": ISSUER}
    return f"otpauth://totp/{quote(f'{ISSUER}:{user.get_username()}@{host}')}?{urlencode(asked, quote_via=quote)}"


def step_of(secret: str, code: str, *, now: datetime.datetime, after: int = -1) -> int | None:
    """Returns the time step of this code, or None if the code is wrong. Only the current step and its two neighbours
    are valid, and only if they are greater than `after`."""
    if not APP_CODE.fullmatch(code):
        return None
    try:
        totp = TOTP(fernet().decrypt(secret))
    except InvalidToken:
        logger.error("neither MFA_KEY nor MFA_KEYS_OLD reads a second factor's secret")
        return None
    totp.time = now.timestamp()
    return totp.t() if totp.verify(int(code), TOLERANCE, after + 1) else None


# --- Codes


def normalized_code(code: str) -> str:
    """Returns a submitted code without spaces and hyphens, in lower case."""
    return re.sub(r"[\s-]", "", code).lower()


def seconds_to_wait(app: AuthenticatorApp, *, now: datetime.datetime) -> int:
    """Returns the seconds to wait for the next try after wrong codes, or 0 if a code is accepted now."""
    allowed, why = app.verify_is_allowed()
    return 0 if allowed else max(1, round((why["locked_until"] - now).total_seconds()))


class CodeBackend:
    """Authenticates by a code after the correct password.

    It is listed in AUTHENTICATION_BACKENDS, so that django-axes and login_throttle count wrong codes like wrong
    passwords and reject locked-out users.
    """

    def authenticate(self, request: HttpRequest, *, username: str, token: str) -> User | None:
        user = User.objects.get(username=username)
        return user if use_code(user, normalized_code(token), now=timezone.now()) else None


@transaction.atomic
def use_code(user: User, code: str, *, now: datetime.datetime) -> bool:
    """Returns True if the code is right, and marks it as used. Locks the app's row, so that only one of two
    simultaneous log-ins with the same code succeeds."""
    app = AuthenticatorApp.objects.select_for_update(no_key=True).filter(user=user).first()
    if app is None or seconds_to_wait(app, now=now):
        return False
    if not (_use_step(app, code, now=now) or _use_recovery_code(user, code, now=now)):
        app.throttle_increment()
        return False
    app.throttle_reset(commit=False)
    app.set_last_used_timestamp(commit=False)
    app.save(update_fields=["throttling_failure_count", "throttling_failure_timestamp", "last_used_at"])
    return True


def _use_step(app: AuthenticatorApp, code: str, *, now: datetime.datetime) -> bool:
    step = step_of(app.secret, code, now=now, after=app.last_step)
    if step is None:
        return False
    if key := matching_secret(FACTOR_KEY, lambda key: _reads(key, app.secret)):
        note_use(FACTOR_KEY, key)
    secret = fernet().rotate(app.secret).decode()
    return AuthenticatorApp.objects.filter(pk=app.pk, last_step__lt=step).update(last_step=step, secret=secret) == 1


def _use_recovery_code(user: User, code: str, *, now: datetime.datetime) -> bool:
    if not RECOVERY_CODE.fullmatch(code):
        return False
    used, _rows = RecoveryCode.objects.filter(user=user, hash=_hash(code)).delete()
    if used:
        left = user.recovery_codes.count()
        add_event(None, "recovery_code_used", by=staff_actor(user), now=now, account=user.get_username(), left=left)
    return used == 1


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


# --- Set-up, renewal, reset


@transaction.atomic
def set_up(user: User, *, secret: str, step: int, now: datetime.datetime, anew: bool = False) -> list[str]:
    """Assigns this app to the account. Returns the recovery codes, which are stored as hashes only.

    `step` is the time step of the code that verified the app. With `anew`, this app replaces the account's app. Without
    `anew`, raises IntegrityError if the account already has an app.
    """
    if anew:
        AuthenticatorApp.objects.filter(user=user).delete()
    AuthenticatorApp.objects.create(user=user, secret=secret, last_step=step)
    add_event(None, "second_factor_set", by=staff_actor(user), now=now, account=user.get_username())
    return _new_codes(user)


@transaction.atomic
def make_recovery_codes(user: User, *, now: datetime.datetime) -> list[str]:
    """Replaces the recovery codes. Returns the new codes."""
    add_event(None, "recovery_codes_made", by=staff_actor(user), now=now, account=user.get_username())
    return _new_codes(user)


def _new_codes(user: User) -> list[str]:
    made = [base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    user.recovery_codes.all().delete()
    RecoveryCode.objects.bulk_create([RecoveryCode(user=user, hash=_hash(code)) for code in made])
    return ["-".join(re.findall("....", code)) for code in made]


@transaction.atomic
def reset_second_factor(user: User, *, by: str, now: datetime.datetime) -> bool:
    """Removes the account's app and recovery codes, and ends its sessions. The next log-in sets up an app. If the
    account has no app, returns False."""
    gone, _rows = AuthenticatorApp.objects.filter(user=user).delete()
    user.recovery_codes.all().delete()
    if gone:
        end_sessions([user.pk])
        add_event(None, "second_factor_reset", by=by, now=now, account=user.get_username())
    return bool(gone)
