"""All settings, read from the environment (contract section 4). A `.env` beside manage.py is honoured.

A value that is missing or wrong stops the process at its start, by name: see `project.checks` and the guards here.
"""

from datetime import timedelta
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
MOST = 10**8  # three years in seconds; with much more no date could be reckoned
environ.Env.read_env(BASE_DIR / ".env")


def whole(name: str, default: int, *, least: int = 0) -> int:
    """A whole number from the environment; the error names the variable."""
    given = env.str(name, default=str(default))
    try:
        return _within(name, int(given), least)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {given!r}") from error


def wholes(name: str, default: str, *, least: int = 0) -> list[int]:
    """Whole numbers with commas between, one at least: an empty line would quietly mean none."""
    given = env.str(name, default=default)
    try:
        return [_within(name, int(part), least) for part in given.split(",")]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be whole numbers with commas between, not {given!r}") from error


def _within(name: str, value: int, least: int) -> int:
    if value < least:
        raise ImproperlyConfigured(f"{name} must be at least {least}, not {value}")
    if value > MOST:
        raise ImproperlyConfigured(f"{name} must be at most {MOST}, not {value}")
    return value


def words(name: str, default: str) -> list[str]:
    """Words with commas between, one at least: an empty line would quietly mean nobody or nothing."""
    found = [word.strip() for word in env.str(name, default=default).split(",")]
    if not all(found):
        raise ImproperlyConfigured(f"{name} must not be empty, nor hold an empty entry")
    return found


def text(name: str, default: str) -> str:
    """A text that must not be empty; to leave the variable out is what means its default."""
    value = env.str(name, default=default).strip()
    if not value:
        raise ImproperlyConfigured(f"{name} must not be empty")
    return value


def switch(name: str, default: bool = False) -> bool:
    """true or false from the environment, nothing else: a typing error must not quietly mean false."""
    text = env.str(name, default=str(default)).strip().lower()
    if text in {"true", "1", "yes", "on"}:
        return True
    if text in {"false", "0", "no", "off", ""}:
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not {text!r}")


# --- Django

DEBUG = switch("DEBUG")
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured("SECRET_KEY is not set (a development machine may set DEBUG=true instead)")
    SECRET_KEY = "development-only-never-in-production"
ALLOWED_HOSTS = words("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "project.apps.DeskAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "anymail",
    "axes",
    "orders",
    "approvals",
    "notifications",
    "integrations",
    "project",
]
MIDDLEWARE = [
    "project.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.middleware.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # last, as it says: puts its answer in place of a log-in's
]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "project" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# --- Log-ins: five wrong passwords lock an account for an address. Counted in the database, so for all web processes.

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # by address alone, a whole office would be locked out
AXES_USERNAME_CALLABLE = "project.login_guard.name_of"
AXES_CLIENT_IP_CALLABLE = "project.login_guard.address_of"  # never a header that we did not count on
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or somebody could keep a colleague out for good
AXES_LOCKOUT_CALLABLE = "project.login_guard.answer_locked"
AXES_SENSITIVE_PARAMETERS = []  # log lines name account and address; passwords are never written
AXES_DISABLE_ACCESS_LOG = True  # log-ins are in the log; a table of them would only grow
AXES_ENABLE_ADMIN = False  # project.failed_logins has a page of ours

# --- Database: SQLite embedded, or PostgreSQL. No ATOMIC_REQUESTS: a transaction never stays open around a call.

_database_url = env.str("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
if not _database_url.startswith(("sqlite://", "postgres://", "postgresql://", "psql://", "pgsql://")):
    raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:/// or postgres://")
try:
    DATABASES = {"default": env.db_url_config(_database_url)}
except ValueError as error:  # a port that is no number; the library's words name no variable
    raise ImproperlyConfigured(f"DATABASE_URL: {error}") from error
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # IMMEDIATE: a transaction takes the write lock at its start, so what it read cannot be overtaken.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # FULL: 00000 promises the commit is on disk; NORMAL may lose the last ones at a power cut.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=20000;",
    }
else:
    DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
    # The server keeps the plans of what is asked again and again, and values travel beside the text, not within it.
    DATABASES["default"]["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": 5}

# --- Language and time: staff read Chinese; every wire time is Asia/Shanghai

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "project" / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = ["project.formats"]  # 2026-11-25 09:10:00, not 2026年11月25日 09:10

# --- Static files, served by ourselves

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "project.static_files.DeskStaticFilesStorage"},
}
# Without collectstatic (demo, development, tests) files come straight from the apps.
WHITENOISE_USE_FINDERS = not (STATIC_ROOT / "staticfiles.json").exists()

# --- Safety

HTTPS_ONLY = switch("HTTPS_ONLY")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS_ONLY else None
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]  # asked by machines on the inside
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
# The endpoint answers 413 with its own envelope above 2 MiB; Django's limit must not cut in before that.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "IBS Order Desk",
    "VERSION": "1",
    "DESCRIPTION": "Where BBOSS posts activation orders and BPM posts approvals.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",  # the page's files come from us, not from a CDN
}

# --- The queue. Our own outbox keeps what is to be done and when; django-q2 only wakes somebody up.

Q_CLUSTER = {
    "name": "ibs-order-desk",
    "label": _("Queue"),
    "orm": "default",  # the business database: a wake-up is one INSERT in the transaction that it belongs to
    "broker_class": "integrations.queue.DeskBroker",  # listens to the common queue and to its own cluster's pings
    "workers": 2,
    "queue_limit": 2,  # what one cluster takes out of the database ahead of time: little, so that a death delays little
    "bulk": 1,
    "poll": 0.1,
    "timeout": 120,  # a drain ends within 20 s; this only ends what hangs
    "retry": 180,  # longer than timeout, or a running task would be started a second time
    "max_attempts": 1,  # the outbox has the retry plan, not the queue
    "ack_failures": True,
    "save_limit": -1,  # keep no successes: every kept one is loaded and locked at each finished task
    "catch_up": False,  # after a night's stop the sweep runs once, not 600 times
    "recycle": 500,
}

# --- BBOSS (contract section 2)

BBOSS_APP_SECRET = env.str("BBOSS_APP_SECRET", default="")
BBOSS_ACCESS_TOKENS = env.list("BBOSS_ACCESS_TOKENS", default=[])
BBOSS_DOMAIN = text("BBOSS_DOMAIN", "CDNP")
BBOSS_ROUTE_VALUE = text("BBOSS_ROUTE_VALUE", "995")
BBOSS_PARTY_IDS = words("BBOSS_PARTY_IDS", "BBSS9980")
BBOSS_ENV_FLAG = env.str("BBOSS_ENV_FLAG", default="0")
BBOSS_TIMESTAMP_SKEW_SECONDS = whole("BBOSS_TIMESTAMP_SKEW_SECONDS", 600)
BBOSS_ALLOWED_IPS = env.list("BBOSS_ALLOWED_IPS", default=[])
BBOSS_RATE = env.str("BBOSS_RATE", default="600/min")
METRICS_ALLOWED_IPS = env.list("METRICS_ALLOWED_IPS", default=["127.0.0.1"])
# How many proxies of ours stand in front; that many entries of X-Forwarded-For are believed, counted from its end.
TRUSTED_PROXY_COUNT = whole("TRUSTED_PROXY_COUNT", 0)

# --- Partners (contract 3.3 to 3.6)

BPM_BASE_URL = env.str("BPM_BASE_URL", default="http://127.0.0.1:8090/bpm")
BPM_CALLBACK_SECRET = env.str("BPM_CALLBACK_SECRET", default="")
BIGDATA_BASE_URL = env.str("BIGDATA_BASE_URL", default="http://127.0.0.1:8090/bigdata")
PARTNER_TIMEOUT_SECONDS = whole("PARTNER_TIMEOUT_SECONDS", 10, least=1)
DISPATCH_LEASE_SECONDS = whole("DISPATCH_LEASE_SECONDS", 60, least=1)
DISPATCH_RETRY_SECONDS = wholes("DISPATCH_RETRY_SECONDS", "30,120,600,1800,7200,21600")
SUBSEQUENT_BILLING = env.str("SUBSEQUENT_BILLING", default="after_approval")
BREAKER_FAILURES = whole("BREAKER_FAILURES", 20, least=1)
BREAKER_PROBE_SECONDS = whole("BREAKER_PROBE_SECONDS", 15, least=1)
ATTACHMENT_DIR = Path(text("ATTACHMENT_DIR", str(BASE_DIR / "attachments")))  # empty would be the folder we are in

# --- Mail

try:
    vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
except (ImproperlyConfigured, ValueError) as error:  # the library's words name no variable
    raise ImproperlyConfigured(f"EMAIL_URL: {error}") from error
EMAIL_BACKEND = text("EMAIL_BACKEND", vars()["EMAIL_BACKEND"])  # or anymail.backends.<provider>.EmailBackend
EMAIL_TIMEOUT = PARTNER_TIMEOUT_SECONDS
DEFAULT_FROM_EMAIL = text("DEFAULT_FROM_EMAIL", "ibs-order-desk@localhost")
ANYMAIL = {name.removeprefix("ANYMAIL_"): value for name, value in env.ENVIRON.items() if name.startswith("ANYMAIL_")}
ANYMAIL.setdefault("REQUESTS_TIMEOUT", PARTNER_TIMEOUT_SECONDS)  # anymail's own is longer than a lease allows
DEFAULT_CONTACT_NAME = env.str("DEFAULT_CONTACT_NAME", default="")
DEFAULT_CONTACT_MAIL = env.str("DEFAULT_CONTACT_MAIL", default="")
DEFAULT_CONTACT_TEL = env.str("DEFAULT_CONTACT_TEL", default="")

# --- Logs: one line an event, with the request's number, secrets and personal data masked

LOG_LEVEL = text("LOG_LEVEL", "INFO").upper()
if LOG_LEVEL not in {"CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"}:
    raise ImproperlyConfigured(f"LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL, not {LOG_LEVEL!r}")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"mask": {"()": "project.logs.MaskFilter"}},
    "formatters": {"line": {"()": "project.logs.LineFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["mask"], "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django-q": {"level": "WARNING", "handlers": ["console"], "propagate": False},
        "django": {"level": "INFO"},
        "axes.apps": {"level": "WARNING"},  # its greeting at the start of every command
    },
}
