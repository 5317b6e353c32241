"""System checks: report missing and wrong settings before anything runs (contract section 4).

Every command runs the checks, and so does the worker. `project.wsgi` runs them for the web process. Like the messages
of Django's checks, the messages stay in English, because people search for them by their id.
"""

import importlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.checks import CheckMessage, Error, Warning, register, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils import timezone

from integrations.bboss.caller_limits import parse_rate
from integrations.bboss.envelope_checks import token_expiry
from integrations.partners.profile_requirements import why_open_to_all
from integrations.robots.robot_protocols import read_robots
from notifications.contacts_and_recipients import is_address
from orders.lists.registration import Role
from orders.models import Province
from orders.people.second_person import SAME_PERSON_PERIOD
from orders.restore.mark_file import unwritable
from orders.rules.four_eyes_acts import acts_asked
from orders.texts.bpm_task import wrong_placeholders
from project import production
from project.accounts.company.provider import is_safe
from project.accounts.emergency_accounts import EMERGENCY, usable_accounts
from project.accounts.last_administrator import administrators
from project.accounts.second_factor.mfa_required import ADMINISTRATORS, EVERYBODY, NOBODY
from project.base.certificates import bundle_problem, client_problem
from project.base.ip_addresses import parse_network
from project.base.settings_table import SANDBOX
from project.database import encryption
from project.database.database_exists import database_exists
from project.production import NO_EMERGENCY, ONE_ADMINISTRATOR
from project.trail_syslog import target_of

TAG = "desk"
logger = logging.getLogger(__name__)
LEASE_MARGIN_SECONDS = 5  # contract 3.9, Leases
SECRETS = {
    "BBOSS_APP_SECRET": "it signs BBOSS's messages",
    "BBOSS_ACCESS_TOKENS": "without a token every order is refused (20305)",  # unless the profile has no list
    "BPM_CALLBACK_SECRET": production.NEEDED["BPM_CALLBACK_SECRET"],
}


@register(TAG)
def check_settings(app_configs=None, **kwargs) -> list[CheckMessage]:
    parts = (
        empty_secrets,
        malformed_tokens,
        addresses,
        web_addresses,
        rate,
        choices,
        company_login,
        company_roles,
        emergency_accounts,
        one_administrator,
        second_factor,
        log_server,
        robots,
        times,
        contact,
        bpm_pages,
        mail_backend,
        folders,
        state_dir,
        export_dir,
        backup_recipient,
        production_settings,
        network,
        callers_admitted,
    )
    return [message for part in parts for message in part()]


def stop_on_errors() -> None:
    """Runs the checks in a process that runs no command. Raises ImproperlyConfigured with all errors that are not
    silenced, and logs the warnings."""
    found = [message for message in run_checks(tags=[TAG]) if not message.is_silenced()]
    if errors := [message for message in found if message.is_serious()]:
        raise ImproperlyConfigured("\n".join(str(message) for message in errors))
    for message in found:
        logger.warning("%s (%s)", message.msg, message.id)


def require_database_directory() -> None:
    """Raises ImproperlyConfigured if SQLite has no directory for its file.

    This is no system check, because Django's own checks open the database, and checks have no fixed order.
    """
    default = settings.DATABASES["default"]
    name = str(default["NAME"])
    if default["ENGINE"] != "project.database.sqlite" or name.startswith((":memory:", "file:")):
        return
    if not Path(name).absolute().parent.is_dir():
        raise ImproperlyConfigured(f"DATABASE_URL: the directory of {name} does not exist")


def empty_secrets() -> Iterator[CheckMessage]:
    kind = Warning if settings.DEBUG else Error
    for name, use in SECRETS.items():
        if settings.BBOSS_ENV_FLAG == "1" and name in production.NEEDED:
            continue  # reported by `production_settings`
        if name == "BBOSS_ACCESS_TOKENS" and settings.PARTNERS.bboss.token.check != "list":
            continue
        if not getattr(settings, name):
            yield kind(f"{name} is empty: {use}.", id="desk.001")


def malformed_tokens() -> Iterator[CheckMessage]:
    """Identifies a token by its position, because a token is a secret."""
    for place, token in enumerate(settings.BBOSS_ACCESS_TOKENS, 1):
        if token_expiry(token) is None:
            text = f"BBOSS_ACCESS_TOKENS: token {place} is malformed."
            yield Error(
                text, hint="14-digit expiry, 32 hex, -, 4 digits, -, issue time in epoch seconds", id="desk.002"
            )


def addresses() -> Iterator[CheckMessage]:
    for name in ("BBOSS_ALLOWED_IPS", "BPM_ALLOWED_IPS", "METRICS_ALLOWED_IPS"):
        for entry in getattr(settings, name):
            try:
                parse_network(entry)
            except ValueError as error:
                yield Error(f"{name}: {error}.", hint="an address such as 10.0.0.5, or 10.0.0.0/8", id="desk.003")


def is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def web_addresses() -> Iterator[CheckMessage]:
    for name in (*SANDBOX, "SITE_URL"):
        if name == "SITE_URL" and not settings.SITE_URL:
            continue
        if not is_http(getattr(settings, name)):
            yield Error(f"{name} must be an http or https address, not {getattr(settings, name)!r}.", id="desk.004")


def rate() -> Iterator[CheckMessage]:
    for name in ("BBOSS_RATE", "BBOSS_UNSIGNED_RATE"):
        try:
            parse_rate(getattr(settings, name), name)
        except ValueError as error:
            yield Error(str(error) if name in str(error) else f"{name}: {error}", id="desk.005")


def choices() -> Iterator[CheckMessage]:
    allowed = {"SUBSEQUENT_BILLING": ("after_approval", "at_once"), "BBOSS_ENV_FLAG": ("0", "1")}
    allowed["PASSWORD_LOGIN"] = ("all", EMERGENCY)
    allowed["MFA_REQUIRED"] = (NOBODY, ADMINISTRATORS, EVERYBODY)
    for name, values in allowed.items():
        if getattr(settings, name) not in values:
            yield Error(f"{name} must be {' or '.join(values)}, not {getattr(settings, name)!r}.", id="desk.006")


def company_login() -> Iterator[CheckMessage]:
    if not settings.OIDC_ISSUER:
        return
    if not is_safe(settings.OIDC_ISSUER) or set("?#") & set(settings.OIDC_ISSUER):
        text = f"OIDC_ISSUER must be an https address without ? and #, not {settings.OIDC_ISSUER!r}."
        yield Error(text, hint="plain http only to this machine", id="desk.018")
    for name in ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_ROLES", "SITE_URL"):
        if not getattr(settings, name):
            yield Error(f"{name} is empty: the company log-in (OIDC_ISSUER) needs it.", id="desk.018")


def company_roles() -> Iterator[CheckMessage]:
    """Reports unknown roles and attributions. Reads the database, because a site may have added roles and
    attributions."""
    roles = {grant.role for grant in settings.OIDC_ROLES} - set(Role)
    letters = frozenset().union(*(grant.letters for grant in settings.OIDC_ROLES))
    if not (roles or letters) or not database_exists():
        return
    try:
        roles -= set(Group.objects.values_list("name", flat=True))
        letters -= set(Province.objects.values_list("letters", flat=True))
    except DatabaseError:
        return  # the database is unavailable, or not migrated yet
    for kind, words in (("role", roles), ("attribution", letters)):
        for word in sorted(words):
            yield Error(f"OIDC_ROLES: there is no {kind} {word!r}.", id="desk.018")


def emergency_accounts() -> Iterator[CheckMessage]:
    if settings.PASSWORD_LOGIN != EMERGENCY or not database_exists():
        return
    try:
        found = usable_accounts(now=timezone.now())
    except DatabaseError:
        return  # the database is unavailable, or not migrated yet
    if not found:
        text = "PASSWORD_LOGIN is emergency, and no account that is marked for it can log in."
        yield Error(text, hint="manage.py emergency_account NAME, and set its password by the link", id=NO_EMERGENCY)


def one_administrator() -> Iterator[CheckMessage]:
    """Warns if FOUR_EYES is set and only one account can manage accounts."""
    if not acts_asked() or not database_exists():
        return
    try:
        names = list(administrators().values_list("username", flat=True)[:2])
    except DatabaseError:
        return  # the database is unavailable, or not migrated yet
    if len(names) == 1:
        text = (
            f"FOUR_EYES: {names[0]} alone manages accounts. Accounts that it made or changed (role, password link, "
            f"mail, second factor) within {SAME_PERSON_PERIOD.days} days count as one person: none of them confirms "
            "what another one of them asks for."
        )
        hint = "let a second administrator make and change the accounts of those who confirm, or the company log-in"
        yield Warning(text, hint=hint, id=ONE_ADMINISTRATOR)


def second_factor() -> Iterator[CheckMessage]:
    """Reports missing and invalid keys, without showing a key. A key is 32 bytes in base64."""
    hint = "make one by: openssl rand -base64 32"
    if not settings.MFA_KEY and settings.MFA_REQUIRED != NOBODY:
        yield Error("MFA_KEY is empty: it encrypts the second factors (MFA_REQUIRED).", hint=hint, id="desk.020")
    if settings.MFA_KEY and not is_key(settings.MFA_KEY):
        yield Error("MFA_KEY is no key.", hint=hint, id="desk.020")
    for place, key in enumerate(settings.MFA_KEYS_OLD, 1):
        if not is_key(key):
            yield Error(f"MFA_KEYS_OLD: key {place} is no key.", hint=hint, id="desk.020")


def is_key(text: str) -> bool:
    try:
        Fernet(text)
    except ValueError:
        return False
    return True


def log_server() -> Iterator[CheckMessage]:
    """Does not print the URL, which may contain a password by mistake."""
    try:
        settings.AUDIT_SYSLOG and target_of(settings.AUDIT_SYSLOG)
    except ValueError as error:
        yield Error(f"AUDIT_SYSLOG: {error}.", id="desk.021")


def robots() -> Iterator[CheckMessage]:
    """Prints no URL, because it contains the robot's key."""
    try:
        found = read_robots(settings.ALERT_WEBHOOKS)
    except ValueError as error:
        yield Error(f"ALERT_WEBHOOKS: {error}.", id="desk.023")
        return
    for robot in found:
        if robot.kind != "json" and not is_safe(robot.url):
            text = f"ALERT_WEBHOOKS: {robot.name} must have an https address, since its key is part of it."
            yield Error(text, hint="plain http only to this machine", id="desk.023")


def times() -> Iterator[CheckMessage]:
    least = settings.PARTNER_TIMEOUT_SECONDS + LEASE_MARGIN_SECONDS
    lease = settings.DISPATCH_LEASE_SECONDS
    if lease <= least:
        yield Error(
            f"DISPATCH_LEASE_SECONDS ({lease}) must be more than PARTNER_TIMEOUT_SECONDS "
            f"+ {LEASE_MARGIN_SECONDS} ({least}): no call could ever start within its lease.",
            id="desk.007",
        )
    if any(seconds < 0 for seconds in settings.DISPATCH_RETRY_SECONDS):
        yield Error("DISPATCH_RETRY_SECONDS must not hold negative numbers.", id="desk.008")


def contact() -> Iterator[CheckMessage]:
    if not settings.DEFAULT_CONTACT_MAIL and settings.BBOSS_ENV_FLAG != "1":
        text = "DEFAULT_CONTACT_MAIL is empty: where no SA is set for an attribution, nobody gets the mail."
        yield Warning(text, id="desk.009")
    if settings.DEFAULT_CONTACT_MAIL and not is_mail(settings.DEFAULT_CONTACT_MAIL):
        yield Error(f"DEFAULT_CONTACT_MAIL is no mail address: {settings.DEFAULT_CONTACT_MAIL!r}.", id="desk.014")


def is_mail(text: str) -> bool:
    """Returns True for `desk@example.com` and `IBS <desk@example.com>`."""
    named = re.fullmatch(r"[^<>]*<([^<>]+)>", text)
    return is_address(named[1] if named else text)


def bpm_pages() -> Iterator[CheckMessage]:
    """Reports unknown placeholders, which would stay in the links unchanged."""
    if settings.BPM_TASK_URL and (why := wrong_placeholders(settings.BPM_TASK_URL)):
        yield Error(f"BPM_TASK_URL: {why}.", hint="only {process} and {order} are filled in", id="desk.015")


def mail_backend() -> Iterator[CheckMessage]:
    try:
        module, _, name = settings.EMAIL_BACKEND.rpartition(".")
        loaded = getattr(importlib.import_module(module), name)
    except Exception as error:  # a third-party module may raise any exception on import
        yield Error(f"EMAIL_URL or EMAIL_BACKEND: {settings.EMAIL_BACKEND!r} can't be loaded: {error}.", id="desk.016")
        return
    if not callable(getattr(loaded, "send_messages", None)):
        yield Error(f"EMAIL_URL or EMAIL_BACKEND: {settings.EMAIL_BACKEND!r} is no mail backend.", id="desk.016")


def folders() -> Iterator[CheckMessage]:
    for name in ("ATTACHMENT_DIR", "EXPORT_DIR", "STATE_DIR"):
        folder = getattr(settings, name).absolute()
        there = next(path for path in (folder, *folder.parents) if path.exists())
        if not there.is_dir():
            yield Error(f"{name}: {there} is a file, no folder.", id="desk.017")


def _why_not_writable(name: str) -> str:
    """Returns an error text if the folder of this setting is not writable, otherwise an empty text. A path to a file
    gets an empty text too, because `folders` reports it."""
    why = unwritable(getattr(settings, name))
    return "" if why.endswith(" is no folder") else why


def state_dir() -> Iterator[CheckMessage]:
    if why := _why_not_writable("STATE_DIR"):
        kind = Error if settings.BBOSS_ENV_FLAG == "1" else Warning
        yield kind(f"STATE_DIR: {why}: a database that was restored would not be noticed.", id="desk.012")


def export_dir() -> Iterator[CheckMessage]:
    """Reports only a warning, because only the export of lists needs the folder."""
    if why := _why_not_writable("EXPORT_DIR"):
        yield Warning(f"EXPORT_DIR: {why}: lists can't be exported.", id="desk.013")


def backup_recipient() -> Iterator[CheckMessage]:
    if settings.BACKUP_RECIPIENT and (why := encryption.why_not_encryptable()):
        yield Error(f"BACKUP_RECIPIENT: {why}: no backup can be made.", id="desk.022")


def production_settings() -> Iterator[CheckMessage]:
    """Reports missing settings that production needs to start. project/start/command_line.py lists the commands that
    run even if these settings are missing."""
    for text in production.missing_settings():
        yield Error(f"{text}. Production (BBOSS_ENV_FLAG=1) does not start.", id=production.CHECK)


def network() -> Iterator[CheckMessage]:
    """Checks certificates and proxy for calls to partners. Does not print the proxy's URL, which may contain a
    password."""
    bundle, certificate = settings.PARTNER_CA_BUNDLE, settings.PARTNER_CLIENT_CERT
    if bundle and (problem := bundle_problem(bundle)):
        yield Error(f"PARTNER_CA_BUNDLE: {bundle}: {problem}.", id="desk.011")
    if certificate and (problem := client_problem(*certificate)):
        yield Error(f"PARTNER_CLIENT_CERT: {', '.join(dict.fromkeys(certificate))}: {problem}.", id="desk.011")
    if settings.PARTNER_PROXY and not is_proxy(settings.PARTNER_PROXY):
        yield Error("PARTNER_PROXY must be http://host:port or http://user:password@host:port.", id="desk.011")


def is_proxy(url: str) -> bool:
    parts = urlsplit(url) if is_http(url) else None
    return parts is not None and parts.scheme == "http" and parts.path in {"", "/"} and not parts.query


def callers_admitted() -> Iterator[CheckMessage]:
    """Reports a partner profile that admits every caller. The settings module reports it when a process starts. This
    check reports a profile that came into force later."""
    why = why_open_to_all(
        settings.PARTNERS,
        bboss_ips=settings.BBOSS_ALLOWED_IPS,
        bpm_ips=settings.BPM_ALLOWED_IPS,
        proxies=settings.TRUSTED_PROXY_COUNT,
    )
    if why:
        yield Error(f"PARTNERS_FILE: {why}.", id="desk.025")
