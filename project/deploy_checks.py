"""Checks of `check --deploy`. They warn about valid settings that are doubtful in production. They show no secrets."""

import difflib
import os
import re
import stat
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import DatabaseError, connection
from django.utils import timezone

from integrations.partners.profile import CALLS, SECRET_NAMES
from integrations.partners.profile_requirements import faults_in_production, secrets_named
from orders.rules.four_eyes_acts import EXPORT, acts_asked, is_asked
from project.accounts.roles import roles
from project.accounts.separation_of_duties import DECIDES, MANAGES, rights_of, why_not_together
from project.base.ip_addresses import is_loopback, parse_network
from project.base.settings_table import FREE_PREFIX, SANDBOX, SETTINGS, TABLE
from project.checks import TAG, is_http, is_mail
from project.database.database_exists import database_exists
from project.models import User
from project.observability.expiring_soon import SOON, Expiry, bboss_tokens, client_certificate

LEAST_SECRET = 16
EXAMPLE = re.compile(r"example|change.?me|secret|password|development-only|test-only|^\.\.\.|^<.*>$", re.IGNORECASE)
NON_SENDING_BACKEND = re.compile(r"django\.core\.mail\.backends\.(console|dummy|locmem|filebased)\.EmailBackend")
SMTP = "django.core.mail.backends.smtp.EmailBackend"
OUR_PREFIXES = (
    *("BBOSS_", "PARTNER_", "DISPATCH_", "BREAKER_", "DEFAULT_CONTACT_", "METRICS_", "OIDC_", "MFA_"),
    *(name.removesuffix("BASE_URL") for name in SANDBOX),
)
LIBRARY_VARIABLES = re.compile(
    r"(DJANGO|PYTHON|GUNICORN|REQUESTS|SSL|PG|LC)_?[A-Z_]*|TZ|LANG|PATH|(https?|no|all)_proxy", re.I
)
"""Environment variables of libraries, which may be in the file too."""
UNLIMITED_RIGHTS = {*MANAGES, "orders.judge_export"}
"""Rights to act on all orders, which only an account without a limit can use."""
MOST_SUPERUSERS = 2
COMBINATIONS = {"manages": "manage accounts or tokens, and act on orders", "audits": "audit, and change something"}
"""Descriptions of the keys of separation_of_duties.FORBIDDEN_TOGETHER."""


@register(TAG, deploy=True)
def check_deployment(app_configs=None, **kwargs) -> list[CheckMessage]:
    parts = (
        mail,
        weak_secrets,
        expiring_tokens,
        proxies,
        switched_off,
        folders,
        database_access,
        names,
        values,
        certificate,
        second_persons,
        partners_in_clear,
        mail_in_clear,
        database_in_clear,
        open_settings_file,
        passwords_alone,
        roles_apart,
    )
    doubtful = [Warning(text, id=f"desk.{number}") for number, part in enumerate(parts, 101) for text in part()]
    return doubtful + [Error(text, id="desk.026") for text in wrong_profile()]


def wrong_profile() -> Iterator[str]:
    """Yields errors about entries of the partner profile that production must not have (contract 7.4)."""
    if settings.BBOSS_ENV_FLAG != "1":
        return
    profile = settings.PARTNERS
    yield from (f"PARTNERS_FILE: {fault}." for fault in faults_in_production(profile))
    for name, partner in (("bigdata", profile.bigdata), ("bpm", profile.bpm)):
        secret_headers = [
            header for header, value in partner.headers.items() if secrets_named(value) or SECRET_NAMES.search(header)
        ]
        calls = [getattr(partner, call).path for call in CALLS[name]]
        bases = [path if "://" in path else getattr(settings, f"{name.upper()}_BASE_URL") for path in calls if path]
        if secret_headers and any(urlsplit(base).scheme == "http" for base in bases):
            yield f"PARTNERS_FILE: {name}.headers: {secret_headers[0]} holds a secret and would go out over plain http."


def mail() -> Iterator[str]:
    if NON_SENDING_BACKEND.fullmatch(settings.EMAIL_BACKEND):
        yield f"EMAIL_URL or EMAIL_BACKEND: {settings.EMAIL_BACKEND} sends no mail to anybody."
    if settings.DEFAULT_FROM_EMAIL and not is_mail(settings.DEFAULT_FROM_EMAIL):
        yield f"DEFAULT_FROM_EMAIL is no mail address: {settings.DEFAULT_FROM_EMAIL!r}."


def weak_secrets() -> Iterator[str]:
    for name in ("SECRET_KEY", "BBOSS_APP_SECRET", "BPM_CALLBACK_SECRET"):
        value = getattr(settings, name)
        if 0 < len(value) < LEAST_SECRET:
            yield f"{name} has {len(value)} characters; at least {LEAST_SECRET} are needed."
        if EXAMPLE.search(value) or 0 < len(set(value)) < LEAST_SECRET / 4:
            yield f"{name} looks like an example's; make one of its own."


def expiring_tokens() -> Iterator[str]:
    """Identifies a token by its position, because a token is a secret."""
    for token in bboss_tokens():
        yield from _expiry_warning(f"BBOSS_ACCESS_TOKENS: token {token.name}", token)


def _expiry_warning(subject: str, found: Expiry) -> Iterator[str]:
    now = timezone.now()
    if found.ends < now + SOON:
        verb = "expired" if found.ends < now else "expires"
        yield f"{subject} {verb} on {timezone.localtime(found.ends):%Y-%m-%d %H:%M}."


def proxies() -> Iterator[str]:
    if settings.HTTPS_ONLY and not settings.TRUSTED_PROXY_COUNT:
        yield "TRUSTED_PROXY_COUNT is 0 with HTTPS_ONLY: behind nginx all callers have its address; nginx counts as 1."
    if "*" in settings.ALLOWED_HOSTS:
        yield "ALLOWED_HOSTS is *: a stranger chooses the name in our links."
    if any(_is_open(entry) for entry in settings.METRICS_ALLOWED_IPS):
        yield "METRICS_ALLOWED_IPS lets everybody read /metrics."


def _is_open(entry: str) -> bool:
    try:
        return parse_network(entry).prefixlen == 0
    except ValueError:
        return False  # reported as desk.003


def switched_off() -> Iterator[str]:
    if not settings.BBOSS_TIMESTAMP_SKEW_SECONDS:
        yield "BBOSS_TIMESTAMP_SKEW_SECONDS is 0: a message of any age is taken."
    if not settings.BBOSS_RATE.strip():
        yield "BBOSS_RATE is empty: a caller may post without limit."
    if settings.BBOSS_ENV_FLAG == "1" and not settings.BBOSS_ALLOWED_IPS:
        yield "BBOSS_ALLOWED_IPS is empty with production data: any address may post, and each message costs time."
    elif settings.BBOSS_ENV_FLAG == "1" and any(_is_open(entry) for entry in settings.BBOSS_ALLOWED_IPS):
        yield "BBOSS_ALLOWED_IPS lets everybody post; name BBOSS's addresses alone."
    if settings.OIDC_ISSUER and not settings.SESSION_MAX_HOURS:
        yield "SESSION_MAX_HOURS is 0 with OIDC_ISSUER: whoever is disabled at the provider stays in while they work."


def folders() -> Iterator[str]:
    for name in ("ATTACHMENT_DIR", "EXPORT_DIR"):
        folder = getattr(settings, name)
        if not folder.is_dir():
            yield f"{name}: {folder} is no folder."
        elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield f"{name}: {folder} is not writable for this account."


def database_access() -> Iterator[str]:
    if settings.ENVIRONMENT.origin("DATABASE_URL") == "default":
        yield "DATABASE_URL is not set: a SQLite file beside the code is used."
    if not database_exists():
        yield f"DATABASE_URL: {connection.settings_dict['NAME']} does not exist yet; migrate makes it."
        return
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        yield f"DATABASE_URL: the database does not answer: {' '.join(str(error).split())}"


def names() -> Iterator[str]:
    """Yields a warning for each unknown name. In the file, any name except those of libraries counts. In the
    environment, only names similar to a setting's name count."""
    file = settings.ENVIRONMENT.file
    for name in sorted({*settings.ENVIRONMENT.own, *file}):
        if name in TABLE or name.startswith(FREE_PREFIX):
            continue
        like = difflib.get_close_matches(name.upper(), TABLE, n=1, cutoff=0.85)
        if like or name.upper().startswith(OUR_PREFIXES) or (name in file and not LIBRARY_VARIABLES.fullmatch(name)):
            yield f"{name} is no setting of ours{f'; {like[0]} is' if like else ''}."


def values() -> Iterator[str]:
    for setting in SETTINGS:
        given = settings.ENVIRONMENT.given(setting.name)
        if given is None:
            continue
        if not given.strip() and setting.name != "BBOSS_RATE":  # reported by its own check
            yield f"{setting.name} is set and empty; leave the line out, or give it a value."
        if given.startswith("$"):
            yield f"{setting.name} begins with $, which is read literally: no other variable is put in."


def certificate() -> Iterator[str]:
    for found in client_certificate():
        yield from _expiry_warning(found.name, found)


def _staff_rights() -> list[tuple[User, list[frozenset[str]]]] | None:
    """Returns the accounts that may log in, each with the rights of its roles and its single permissions (`rights_of`).
    Returns None if the database is unavailable: `database_access` reports this."""
    if not database_exists():
        return None
    people = User.objects.filter(is_active=True, is_staff=True).order_by("username")
    try:
        found = list(people.prefetch_related("groups__permissions__content_type", "user_permissions__content_type"))
    except DatabaseError:
        return None
    return [(user, rights_of(user.groups.all(), user.user_permissions.all())) for user in found]


def second_persons() -> Iterator[str]:
    """Yields a warning for each account that is the only account with a right, and for rights that no account has.

    If this person is away or has requested an act, nobody could do or confirm it. A limited account counts for rights
    to act on its own orders.
    """
    if (staff := _staff_rights()) is None:
        return
    able: dict[str, list[str]] = {}
    for right in sorted(DECIDES | MANAGES):
        if right == "orders.judge_export" and not is_asked(EXPORT):
            continue
        if right == "orders.confirm_act" and not set(acts_asked()) - {EXPORT}:
            continue
        holders = [user for user, parts in staff if user.is_superuser or any(right in part for part in parts)]
        names = [user.username for user in holders if not (user.limited and right in UNLIMITED_RIGHTS)]
        if len(names) < 2:
            able.setdefault(names[0] if names else "", []).append(right)
    usual = roles()
    for name, rights in able.items():
        words = ", ".join(f"{right} ({'/'.join(role for role in usual if right in usual[role])})" for right in rights)
        yield f"{f'Only the account {name}' if name else 'No active account'} may: {words}. Each takes two accounts."


def roles_apart() -> Iterator[str]:
    """Yields warnings for accounts and groups of OIDC_ROLES with forbidden combinations of rights, and for too many
    superusers."""
    if (staff := _staff_rights()) is None:
        return
    for user, parts in staff:
        if not user.is_superuser and (why := why_not_together(parts)):
            yield f"The account {user.username} may {COMBINATIONS[why]}; take one of its roles."
    root = [user.username for user, _parts in staff if user.is_superuser]
    if len(root) > MOST_SUPERUSERS:
        yield f"{len(root)} superusers may do everything: {', '.join(root)}. {MOST_SUPERUSERS} are enough; give roles."
    for group in sorted({grant.group for grant in settings.OIDC_ROLES}):
        given = {grant.role for grant in settings.OIDC_ROLES if grant.group == group}
        if why := why_not_together(rights_of(Group.objects.filter(name__in=given))):
            yield f"OIDC_ROLES: the group {group} may {COMBINATIONS[why]}; nobody of it gets in."


def partners_in_clear() -> Iterator[str]:
    for name in SANDBOX:
        url = getattr(settings, name)
        if is_http(url) and urlsplit(url).scheme == "http" and not is_loopback(urlsplit(url).hostname or ""):
            yield f"{name} is http: orders and people's data can be read on the way. Ask the partner for https."


def mail_in_clear() -> Iterator[str]:
    """Only for SMTP: anymail's backends use https."""
    host = settings.EMAIL_BACKEND == SMTP and settings.EMAIL_HOST
    if host and not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL or is_loopback(host)):
        yield f"EMAIL_URL: {host} is reached without TLS; take smtp+tls:// or smtp+ssl://."


def database_in_clear() -> Iterator[str]:
    """Warns because libpq's default (`prefer`) falls back to plain text silently. A host that begins with a slash is
    the folder of a socket."""
    entry = settings.DATABASES["default"]
    mode = entry["OPTIONS"].get("sslmode") or os.environ.get("PGSSLMODE", "prefer")
    if mode in {"require", "verify-ca", "verify-full"}:
        return
    hosts = (entry["OPTIONS"].get("host") or entry["HOST"]).split(",")
    if away := [host for host in hosts if host and not host.startswith("/") and not is_loopback(host)]:
        yield f"DATABASE_URL: {', '.join(away)} may be reached without TLS; add sslmode=verify-full (or require)."


def open_settings_file() -> Iterator[str]:
    file = settings.ENVIRONMENT.path
    if file.exists() and file.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        yield f"{file} holds secrets and is open to all accounts; run chmod o= on it."


def passwords_alone() -> Iterator[str]:
    if settings.BBOSS_ENV_FLAG == "1" and settings.MFA_REQUIRED == "nobody" and not settings.OIDC_ISSUER:
        yield "MFA_REQUIRED is nobody and OIDC_ISSUER is empty: a password alone opens the desk to all its orders."
