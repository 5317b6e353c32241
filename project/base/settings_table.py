"""The table of settings: name, parser, default and purpose (contract section 4). Also reads the environment.

`project.settings`, `manage.py settings`, the checks and the demo use this table. So do tests of .env.example and
docs/settings.md. A new setting needs a row here, a line in .env.example and a line in docs/settings.md.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import environ
from django.core.exceptions import ImproperlyConfigured

from orders.db.trail_guard import LEAST_DAYS
from orders.rules.four_eyes_acts import read_acts
from project.database.database_settings import database_entry

BASE_DIR = Path(__file__).resolve().parent.parent.parent
MAX_NUMBER = 10**8  # three years in seconds; much larger values would overflow dates
MASK = "***"
PASSWORD = re.compile(r"(://[^:/@]*:).*(?=@)")
CREDENTIALS = re.compile(r"^(\w+://)?.*(?=@)")
WEBHOOK = re.compile(r"(?P<shown>\w+\+https?://(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d+)?)(?:[/?#].*)?", re.IGNORECASE)


class InvalidSettingError(ValueError):
    """The value of a setting is invalid. The message names the setting."""


def plain(name: str, given: str) -> str:
    return given


def text(name: str, given: str) -> str:
    """Returns the stripped text. If it is empty, raises InvalidSettingError, because only an unset variable means the
    default."""
    if not given.strip():
        raise InvalidSettingError(f"{name} must not be empty")
    return given.strip()


def entries(name: str, given: str) -> list[str]:
    return [entry for part in given.split(",") if (entry := part.strip())]


def words(name: str, given: str) -> list[str]:
    """Returns the words of a comma-separated list. Raises InvalidSettingError for an empty list or entry, which would
    silently mean nobody or nothing."""
    found = [word.strip() for word in given.split(",")]
    if not all(found):
        raise InvalidSettingError(f"{name} must not be empty, nor hold an empty entry")
    return found


def switch(name: str, given: str) -> bool:
    """Returns the boolean. Raises InvalidSettingError for any other text, because a typing error must not mean
    False."""
    word = given.strip().lower()
    if word in {"true", "1", "yes", "on"}:
        return True
    if word in {"false", "0", "no", "off", ""}:
        return False
    raise InvalidSettingError(f"{name} must be true or false, not {word!r}")


def answers(name: str, given: str) -> str:
    if given.strip() not in ("prove", "trust"):
        raise InvalidSettingError(f"{name} must be prove or trust, not {given!r}")
    return given.strip()


def four_eyes(name: str, given: str) -> dict[str, int]:
    try:
        return read_acts(given)
    except ValueError as error:
        raise InvalidSettingError(f"{name}: {error}") from None


def number(name: str, given: str, *, least: int) -> int:
    try:
        value = int(given)
    except ValueError:
        raise InvalidSettingError(f"{name} must be a whole number, not {given!r}") from None
    return _check_range(name, value, least)


whole = partial(number, least=0)
positive = partial(number, least=1)
audit_days = partial(number, least=LEAST_DAYS)


def whole_numbers(name: str, given: str) -> list[int]:
    """Returns the whole numbers of a comma-separated list. Raises InvalidSettingError for an empty list."""
    try:
        values = [int(part) for part in given.split(",")]
    except ValueError:
        raise InvalidSettingError(f"{name} must be whole numbers with commas between, not {given!r}") from None
    return [_check_range(name, value, 0) for value in values]


def _check_range(name: str, value: int, least: int) -> int:
    if value < least:
        raise InvalidSettingError(f"{name} must be at least {least}, not {value}")
    if value > MAX_NUMBER:
        raise InvalidSettingError(f"{name} must be at most {MAX_NUMBER}, not {value}")
    return value


def folder(name: str, given: str) -> Path:
    """Returns the path. Raises InvalidSettingError for an empty text, because it would mean the current folder."""
    return Path(text(name, given))


def public_key(name: str, given: str) -> str:
    """Returns a public key of age. Raises InvalidSettingError for a private key, and does not repeat that key.

    project/checks.py validates the key by running age.
    """
    if "AGE-SECRET-KEY-" in given.upper():
        raise InvalidSettingError(f"{name} holds a private key: give the public one (age1...) of a new pair")
    return given.strip()


def certificate_files(name: str, given: str) -> tuple[str, ...]:
    """Returns (certificate's path, key's path) of `cert.pem,key.pem`, or of a single file with both. For an empty text,
    returns an empty tuple."""
    paths = tuple(path.strip() for path in given.split(",")) if given.strip() else ()
    if len(paths) > 2 or not all(paths):
        raise InvalidSettingError(f"{name} must be one file with certificate and key, or cert.pem,key.pem")
    return paths * 2 if len(paths) == 1 else paths


class Grant(NamedTuple):
    """The role that a group of the company log-in gives. `letters` limit the role to these attributions. Empty means no
    limit."""

    group: str
    role: str
    letters: frozenset[str]


def grants(name: str, given: str) -> tuple[Grant, ...]:
    """Parses `group=role:BJ+TJ;group=role` to grants. A group with several roles has a part for each role.

    A group's name may contain `=`, as in a directory (`CN=ibs,OU=cdn`). The last `=` separates group and role.
    """
    found = []
    for part in given.split(";") if given.strip() else ():
        group, equals, gives = part.rpartition("=")
        role, colon, limit = gives.partition(":")
        letters = [word.strip() for word in limit.split("+")] if colon else []
        if not (equals and group.strip() and role.strip() and all(letters)):
            raise InvalidSettingError(f"{name}: {part.strip()!r} must be group=role or group=role:BJ+TJ")
        found.append(Grant(group.strip(), role.strip(), frozenset(letters)))
    return tuple(found)


def log_level(name: str, given: str) -> str:
    level = text(name, given).upper()
    if level not in {"CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"}:
        raise InvalidSettingError(f"{name} must be DEBUG, INFO, WARNING, ERROR or CRITICAL, not {level!r}")
    return level


def log_format(name: str, given: str) -> str:
    if given.strip() not in {"line", "json"}:
        raise InvalidSettingError(f"{name} must be line or json, not {given.strip()!r}")
    return given.strip()


def database(name: str, given: str) -> str:
    """Returns the URL, `sqlite:///PATH` or `postgres://...`. If `database_entry` can't parse it, raises
    InvalidSettingError."""
    if not given.startswith(("sqlite://", "postgres://", "postgresql://", "psql://", "pgsql://")):
        raise InvalidSettingError(f"{name} must begin with sqlite:/// or postgres://")
    try:
        database_entry(given)
    except ValueError as error:  # its message does not name the setting
        raise InvalidSettingError(f"{name}: {error}") from error
    return given


def mail_server(name: str, given: str) -> dict:
    """Returns Django's settings for the mail server of a URL. EMAIL_BACKEND is one of them."""
    try:
        return environ.Env.email_url_config(given)
    except (ImproperlyConfigured, ValueError) as error:  # the library's message does not name the setting
        raise InvalidSettingError(f"{name}: {str(error).strip()}") from error


@dataclass(frozen=True)
class Setting:
    """A row of the table. `read(name, text)` returns the value or raises InvalidSettingError. `default` is a text too.

    Three fields determine what is masked. `secret`: the whole value is masked. `credentials`: a URL's user name is
    masked too, because it may be a token. `webhooks`: the value is a comma-separated list of `kind+URL`, and only the
    host of each URL is shown.
    """

    name: str
    read: Callable[[str, str], object]
    default: str
    help: str
    secret: bool = False
    credentials: bool = False
    webhooks: bool = False

    def shown(self, given: str) -> str:
        """Returns the value for display, with secrets and a URL's password masked."""
        if self.secret:
            return MASK if given else ""
        if self.webhooks:
            parts = map(WEBHOOK.fullmatch, entries(self.name, given))
            return ",".join(f"{part['shown']}/{MASK}" if part else MASK for part in parts)
        if self.credentials:
            return CREDENTIALS.sub(rf"\g<1>{MASK}", given, count=1)
        return PASSWORD.sub(rf"\1{MASK}", given)


SETTINGS = (
    Setting("SECRET_KEY", plain, "", "signs sessions; without it nothing starts unless DEBUG=true", secret=True),
    Setting("SECRET_KEY_FALLBACKS", entries, "", "other keys that count: an old one, or the next one", secret=True),
    Setting("DEBUG", switch, "false", "a development machine"),
    Setting("ALLOWED_HOSTS", words, "127.0.0.1,localhost,[::1]", "names under which we are asked"),
    Setting("CSRF_TRUSTED_ORIGINS", entries, "", "https://NAME of each of them, behind a proxy"),
    Setting("SITE_URL", plain, "", "the address that people use, for links in mails"),
    Setting("DATABASE_URL", database, f"sqlite:///{BASE_DIR / 'db.sqlite3'}", "SQLite or PostgreSQL"),
    Setting("DATABASE_POOLER", switch, "false", "behind PgBouncer in transaction mode: nothing is kept in a session"),
    Setting("CLOCK_SKEW_SECONDS", whole, "60", "between the database's clock, which counts, and ours; 0: ours counts"),
    Setting("BBOSS_APP_SECRET", plain, "", "signs BBOSS's messages", secret=True),
    Setting("BBOSS_APP_SECRETS_OLD", entries, "", "old ones that still count during a change", secret=True),
    Setting("BBOSS_ACCESS_TOKENS", entries, "", "BBOSS's tokens: an old and a new one may overlap", secret=True),
    Setting("BBOSS_DOMAIN", text, "CDNP", "our application domain"),
    Setting("BBOSS_ROUTE_VALUE", text, "995", "our exchange node"),
    Setting("BBOSS_PARTY_IDS", words, "BBSS9980", "who may call"),
    Setting("BBOSS_ENV_FLAG", plain, "0", "0 test data, 1 production data"),
    Setting("BBOSS_TIMESTAMP_SKEW_SECONDS", whole, "600", "0 switches the check off"),
    Setting("BBOSS_ALLOWED_IPS", entries, "", "addresses or networks that may post; empty: all"),
    Setting("INTAKE_QUIET_MINUTES", whole, "720", "so long without a call of BBOSS is told; 0 switches it off"),
    Setting("BBOSS_RATE", plain, "6000/min", "calls of one address; empty: no limit"),
    Setting("BBOSS_UNSIGNED_RATE", plain, "60/min", "messages of strangers that are kept; empty: no limit"),
    Setting("API_TOKEN_MAX_DAYS", positive, "400", "how long a token of the read API may be valid"),
    Setting("OIDC_ISSUER", plain, "", "the company's OpenID provider; empty: no company log-in"),
    Setting("OIDC_CLIENT_ID", plain, "", "our name at the provider"),
    Setting("OIDC_CLIENT_SECRET", plain, "", "our secret at the provider", secret=True),
    Setting("OIDC_NAME", plain, "", "the words on the button of the company log-in"),
    Setting("OIDC_CLAIM", text, "groups", "the claim that names a person's groups"),
    Setting("OIDC_ROLES", grants, "", "what each group gives: group=role, or group=role:BJ+TJ, with ; between"),
    Setting("PASSWORD_LOGIN", plain, "all", "or emergency: only accounts marked by emergency_account have passwords"),
    Setting("PASSWORD_MAX_DAYS", whole, "0", "an older password must be changed at the log-in; 0: never"),
    Setting("MFA_REQUIRED", plain, "nobody", "or administrators, or everybody: who needs a second factor"),
    Setting("MFA_KEY", plain, "", "encrypts the second factors' secrets", secret=True),
    Setting("MFA_KEYS_OLD", entries, "", "keys before it, which are still read", secret=True),
    Setting("SESSION_IDLE_MINUTES", whole, "30", "a session ends so long after its last use; 0: never"),
    Setting("SESSION_MAX_HOURS", whole, "12", "a session ends so long after the log-in; 0: never"),
    Setting("AUDIT_DAYS", audit_days, "180", "how long the trail is kept; at least 180"),
    Setting("AUDIT_SYSLOG", plain, "", "where the trail also goes: udp://, tcp:// or tls://host:port"),
    Setting("ALERT_WEBHOOKS", entries, "", "robots told of incidents: kind+address, with commas", webhooks=True),
    Setting("METRICS_ALLOWED_IPS", entries, "127.0.0.1", "who may read /metrics, by the real peer address"),
    # Only so many entries at the end of X-Forwarded-For are trusted.
    Setting("TRUSTED_PROXY_COUNT", whole, "0", "how many proxies of ours stand in front"),
    Setting("HTTPS_ONLY", switch, "false", "redirect, HSTS, secure cookies"),
    Setting("BPM_ALLOWED_IPS", entries, "", "addresses or networks that may post approvals; empty: all"),
    Setting("BPM_BASE_URL", plain, "http://127.0.0.1:8090/bpm", "BPM; the default is the sandbox"),
    Setting("BPM_TASK_URL", plain, "", "BPM's page of a process, with {process} and {order}"),
    Setting("BPM_CALLBACK_SECRET", plain, "", "signs BPM's approvals", secret=True),
    Setting("BPM_CALLBACK_SECRETS_OLD", entries, "", "old ones that still count during a change", secret=True),
    Setting("BIGDATA_BASE_URL", plain, "http://127.0.0.1:8090/bigdata", "big data; the default is the sandbox"),
    Setting("PARTNER_TIMEOUT_SECONDS", positive, "10", "of a whole call"),
    Setting("PARTNER_CA_BUNDLE", plain, "", "PEM file of the CAs that partners' certificates come from"),
    Setting("PARTNER_CLIENT_CERT", certificate_files, "", "ours: one PEM file with key, or cert.pem,key.pem"),
    Setting("PARTNER_PROXY", plain, "", "http://[user:password@]host:port, for calls to partners", credentials=True),
    Setting("PARTNERS_FILE", plain, "", "a TOML file that says how the partners differ from the defaults; empty: none"),
    Setting("PARTNER_ANSWERS", answers, "prove", "or trust: a refusal counts before a success proved the call"),
    Setting("PARTNER_RATE", whole, "0", "calls a second to each partner from each worker process; 0: no bound"),
    Setting("DISPATCH_RETRY_SECONDS", whole_numbers, "30,120,600,1800,7200,21600", "waits between attempts"),
    Setting("DISPATCH_LEASE_SECONDS", positive, "60", "how long a claimed step stays its worker's"),
    Setting("BREAKER_FAILURES", positive, "20", "failures after which a partner counts as down"),
    Setting("BREAKER_PROBE_SECONDS", positive, "15", "how often one that is down is tried"),
    Setting("SUBSEQUENT_BILLING", plain, "after_approval", "or at_once"),
    Setting("ATTACHMENT_DIR", folder, str(BASE_DIR / "attachments"), "where info-security files lie"),
    Setting("EXPORT_DIR", folder, str(BASE_DIR / "exports"), "where exports lie; web and worker machines share it"),
    Setting("PERSONAL_DATA_DAYS", whole, "0", "so long after a line is over its personal data are erased; 0: never"),
    Setting("FOUR_EYES", four_eyes, "", "acts that a second person must confirm: decide,withdraw,bulk:100,..."),
    Setting("EXPORT_SECOND_PERSON", switch, "false", "the same as export_personal in FOUR_EYES"),
    Setting(
        "EXPORT_MIN_FREE_MB",
        whole,
        "2048",
        "with less free disk than this, exports, uploads and bulk runs are refused, and scheduled exports wait",
    ),
    Setting("STATE_DIR", folder, str(BASE_DIR / "state"), "what this machine has seen of each database; its own"),
    Setting("BACKUP_RECIPIENT", public_key, "", "a public key of age: backups are encrypted to it"),
    Setting("EMAIL_URL", mail_server, "consolemail://", "the mail server"),
    Setting("EMAIL_BACKEND", text, "", "in place of EMAIL_URL's: anymail.backends.NAME.EmailBackend"),
    Setting("DEFAULT_FROM_EMAIL", text, "ibs-order-desk@localhost", "who our mails are from"),
    Setting("DEFAULT_CONTACT_NAME", plain, "", "the contact where no SA is set for an attribution"),
    Setting("DEFAULT_CONTACT_MAIL", plain, "", "their address"),
    Setting("DEFAULT_CONTACT_TEL", plain, "", "their phone"),
    Setting("LOG_LEVEL", log_level, "INFO", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    Setting("LOG_FORMAT", log_format, "line", "or json: one object a line"),
)
TABLE = {setting.name: setting for setting in SETTINGS}
SANDBOX = {
    row.name: row.default for row in SETTINGS if row.name.endswith("_BASE_URL")
}  # the sandbox's URL of each partner
FREE_PREFIX = "ANYMAIL_"  # a provider's own settings, with any name
COMPLETE = "DESK_ENVIRONMENT_COMPLETE"
"""Set if a parent process has added the file's values to the environment. The file is then not read again."""
PROFILE = "DESK_PARTNERS_PROFILE"  # the text of PARTNERS_FILE that the parent process has read
LINE = re.compile(r"\s*(#.*)?|(export )?\w+=.*", re.ASCII)


class Environment:
    """The environment variables, and the values of the file for variables that are not set.

    `own` are the variables that the file lacks or sets to another value. With systemd's EnvironmentFile, variables and
    file have the same values. `problems` has the error of each invalid setting, so that all errors are reported
    together. Values are read literally, so `$` has no meaning. `profile` is the text of PARTNERS_FILE as read by a
    parent process, or None.
    """

    def __init__(self, file: Path) -> None:
        self.path = file
        self.file = {} if os.environ.get(COMPLETE) else _read_file(file)
        self.own = {name: value for name, value in os.environ.items() if self.file.get(name) != value}
        self.profile: str | None = os.environ.get(PROFILE) if os.environ.get(COMPLETE) else None
        self.problems: dict[str, str] = {}
        for name, value in self.file.items():
            os.environ.setdefault(name, value)  # for child processes and libraries

    def given(self, name: str) -> str | None:
        return self.own.get(name, self.file.get(name))

    def for_children(self) -> dict[str, str]:
        """Returns the environment for child processes, so that they have the same settings as this process."""
        return os.environ | {COMPLETE: "1", **self.profile_for_children()}

    def profile_for_children(self) -> dict[str, str]:
        return {} if self.profile is None else {PROFILE: self.profile}

    def origin(self, name: str) -> str:
        """Returns the origin of the value in force: `environment`, `.env` or `default`."""
        return "environment" if name in self.own else ".env" if name in self.file else "default"

    def value(self, name: str) -> Any:
        """Returns the value of a setting. If the value is invalid, adds the error to `problems` and returns the
        default."""
        row, given = TABLE[name], self.given(name)
        try:
            return row.read(name, row.default if given is None else given)
        except InvalidSettingError as error:
            self.problems[name] = str(error)
        try:
            return row.read(name, row.default)
        except (
            InvalidSettingError
        ):  # a row without a valid default: any value will do, because the problem stops the process later
            return row.read(name, "-")

    def free(self) -> dict[str, str]:
        """Returns {name: value} of the settings that begin with FREE_PREFIX."""
        return {name: self.given(name) for name in sorted({*self.own, *self.file}) if name.startswith(FREE_PREFIX)}

    def wrong_lines(self) -> list[str]:
        """Returns an error text for each line of the file that is neither NAME=value nor a comment. The library would
        skip such lines."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        wrong = [number for number, line in enumerate(lines, 1) if not LINE.fullmatch(line)]
        return [f"{self.path}: line {number} is not NAME=value" for number in wrong]

    def stop_on_problems(self) -> None:
        """If there are problems, raises ImproperlyConfigured with a line for each problem, in the order of the
        table."""
        if self.problems:
            raise ImproperlyConfigured("\n".join(self.problems[name] for name in TABLE if name in self.problems))


def _read_file(file: Path) -> dict[str, str]:
    class Lines(environ.Env):
        ENVIRON = {}  # read_env writes into this dictionary instead of os.environ

    Lines.read_env(file)
    return dict(Lines.ENVIRON)
