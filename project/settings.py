"""All settings, read from the environment (contract section 4) and from `.env` in the folder of manage.py.

`project.base.settings_table` has the table of the settings that a site may set. The end of this file assigns the
settings that are not used above. If a value is missing or wrong, the process stops at its start with an error that
names the setting. The checks of `project.checks` stop the process in the same way.
"""

import os
from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from integrations.base.database_clock import replace_django_now
from integrations.partners.profile import ProfileError, named_profile, profile_text
from integrations.partners.profile_requirements import why_no_start
from project import __version__
from project.base.settings_table import BASE_DIR, FREE_PREFIX, TABLE, Environment
from project.database.database_settings import database_entry

ENVIRONMENT = Environment(BASE_DIR / ".env")
value = ENVIRONMENT.value

# --- Django

VERSION = __version__
DEBUG = value("DEBUG")
SECRET_KEY = value("SECRET_KEY")
if not SECRET_KEY:
    if not DEBUG:
        ENVIRONMENT.problems["SECRET_KEY"] = "SECRET_KEY is not set (a development machine may set DEBUG=true instead)"
    SECRET_KEY = "development-only-never-in-production"
SITE_URL = value("SITE_URL").rstrip("/")

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
    "project.base.middleware.PartnerPathMiddleware",
    "project.observability.request_log.RequestMiddleware",
    "project.base.middleware.DatabaseDeadlineMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.base.middleware.ContentSecurityPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "project.base.middleware.HostMiddleware",
    "project.base.middleware.PartnerCallMiddleware",  # answers partners' calls: the rest is for people
    "django.contrib.sessions.middleware.SessionMiddleware",
    "project.base.middleware.UploadSizeMiddleware",  # before the next one, which reads the body
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "project.accounts.session_expiry.SessionEndMiddleware",
    "project.accounts.passwords.max_age.PasswordAgeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "project.base.middleware.AccountNamesMiddleware",
    "axes.middleware.AxesMiddleware",  # last, as its documentation says: replaces a log-in's response
]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "project" / "templates", *sorted((BASE_DIR / "orders" / "office").glob("*/templates"))],
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
AUTH_USER_MODEL = "project.User"
LOGIN_REDIRECT_URL = "admin:index"  # the target of a log-in without a page of ours
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "project.accounts.passwords.password_rules.PersonValidator"},
    {"NAME": "project.accounts.passwords.password_rules.UsedPasswordValidator"},
]

# --- Log-ins: five wrong passwords lock an account for an address. project.accounts.login_throttle has two more rules.
# Failures are counted in the database, so all web processes agree.

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "project.accounts.emergency_accounts.PasswordLoginGuard",  # refuses before ModelBackend checks the password
    "django.contrib.auth.backends.ModelBackend",
    "project.accounts.second_factor.codes.CodeBackend",
]
AXES_HANDLER = "project.accounts.login_throttle.LoginGuard"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # by address alone, a whole office would be locked out
AXES_USERNAME_CALLABLE = "project.accounts.login_throttle.login_name"
AXES_CLIENT_IP_CALLABLE = "project.accounts.login_throttle.address_of"  # never a header that we do not trust
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # otherwise anybody could lock a colleague out for good
AXES_LOCKOUT_CALLABLE = "project.accounts.login_throttle.answer_locked"
# Log lines name account and address. Passwords, keys and codes are never written.
AXES_SENSITIVE_PARAMETERS = ["code", "new_code"]
AXES_DISABLE_ACCESS_LOG = True  # log-ins are in the log; a table of them would only grow
AXES_ENABLE_ACCESS_FAILURE_LOG = True  # login_throttle counts its rows of the last hour
AXES_ENABLE_ADMIN = False  # project.accounts.lockout_pages has our page

# --- The company log-in by OpenID Connect. Without OIDC_ISSUER there is none.

OIDC_ISSUER = value("OIDC_ISSUER").strip().rstrip("/")

# --- The trail of who did what (审计)

AUDIT_SYSLOG = value("AUDIT_SYSLOG").strip()

# --- Database: SQLite or PostgreSQL. There are no ATOMIC_REQUESTS, because no transaction may stay open around a call.

DATABASE_POOLER = value("DATABASE_POOLER")
DATABASES = {"default": database_entry(value("DATABASE_URL"), pooler=DATABASE_POOLER)}

# --- Language and time: staff read Chinese. All times in messages are in Asia/Shanghai

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "project" / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_I18N = True
USE_TZ = True
replace_django_now()  # timezone.now() is the database's time, before anything is imported that keeps the function
FORMAT_MODULE_PATH = ["project.formats"]  # 2026-11-25 09:10:00, not 2026年11月25日 09:10

# --- Static files, which we serve ourselves

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [("manual", BASE_DIR / "docs" / "screenshots")]  # the manual's pictures
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "project.base.static_files.DeskStaticFilesStorage"},
}
# Without collectstatic (demo, development, tests) files come directly from the apps.
WHITENOISE_USE_FINDERS = not (STATIC_ROOT / "staticfiles.json").exists()

# --- Safety

HTTPS_ONLY = value("HTTPS_ONLY")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
# Subdomains and the browsers' list would bind names that are not ours (deploy/README.md, HSTS).
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS_ONLY else None
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]  # internal machines call these
SESSION_ENGINE = "project.accounts.session_store"
SESSION_COOKIE_HTTPONLY = True
if HTTPS_ONLY:  # browsers accept a cookie with this prefix from this host only, so no other host can replace it
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SESSION_MAX_HOURS = value("SESSION_MAX_HOURS")
# Browser and database keep a session for this time after its last use. Browsers keep cookies for 400 days at most.
SESSION_COOKIE_AGE = min(SESSION_MAX_HOURS or 400 * 24, 400 * 24) * 3600
X_FRAME_OPTIONS = "DENY"
# The endpoint answers 413 with its own envelope above 2 MiB. Django's limit must not apply before that.
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
    "VERSION": VERSION,
    "DESCRIPTION": "Where BBOSS posts orders, BPM posts approvals, and other systems read what became of them.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",  # we serve the page's files, not a CDN
}

# --- The queue. Our outbox has the steps and their times. django-q2 only wakes up a worker.

PERIODIC = "project.periodic.PARTS"  # named here, since `integrations` must not import `project`
Q_CLUSTER = {
    "name": "ibs-order-desk",
    "label": _("Queue"),
    "orm": "default",  # the business database: a wake-up is one INSERT in its order's transaction
    "broker_class": "integrations.worker.broker.DeskBroker",  # also receives its own cluster's pings
    "workers": 2,
    "queue_limit": 2,  # tasks that a cluster takes in advance; few, so that few are delayed if the cluster dies
    "bulk": 1,
    "poll": 0.02,  # seconds between queries of an idle worker; a query costs 0.3 ms
    "timeout": 120,  # a drain ends within 20 s, so this ends only tasks that hang
    "retry": 180,  # longer than timeout; otherwise a running task would be started twice
    "max_attempts": 1,  # the outbox has the retry schedule, not the queue
    "ack_failures": True,
    "save_limit": -1,  # keep no successes, because each kept one is loaded and locked at each finished task
    "catch_up": False,  # after a stopped night the sweep runs once, not 600 times
    "recycle": 500,
}

# --- Partners (contract 3.3 to 3.6)

PARTNER_TIMEOUT_SECONDS = value("PARTNER_TIMEOUT_SECONDS")
PARTNER_CA_BUNDLE = value("PARTNER_CA_BUNDLE").strip()
PARTNER_PROXY = value("PARTNER_PROXY").strip()

# --- Mail

vars().update(value("EMAIL_URL"))
if ENVIRONMENT.given("EMAIL_BACKEND") is not None:
    EMAIL_BACKEND = value("EMAIL_BACKEND")  # anymail.backends.<provider>.EmailBackend
EMAIL_TIMEOUT = PARTNER_TIMEOUT_SECONDS
ANYMAIL = {name.removeprefix(FREE_PREFIX): text for name, text in ENVIRONMENT.free().items()}
ANYMAIL.setdefault("REQUESTS_TIMEOUT", PARTNER_TIMEOUT_SECONDS)  # anymail's own time-out is longer than a lease

# --- Logs: one event on each line, with the request's id; secrets and personal data are masked

LOG_LEVEL = value("LOG_LEVEL")
LOG_FORMAT = value("LOG_FORMAT")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "away": {"()": "project.base.logs.OutageFilter"},
        "mask": {"()": "project.base.logs.MaskFilter"},
    },
    "formatters": {
        "line": {"()": "project.base.logs.LineFormatter"},
        "json": {"()": "project.base.logs.JsonFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["away", "mask"], "formatter": LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django-q": {"level": "WARNING", "handlers": ["console"], "propagate": False},
        "django": {"level": "INFO"},
        "django.request": {"level": "ERROR"},  # our own log line of a request has its status
        "gunicorn.error": {"handlers": ["console"], "propagate": False},
        "urllib3": {"level": "INFO"},  # its debug lines have the addresses of robots, which are secrets
        "axes.apps": {"level": "WARNING"},  # it logs a greeting at the start of every command
    },
}

# --- The remaining rows of the table. DATABASE_URL and EMAIL_URL may hold passwords: only their parts are settings

try:
    if ENVIRONMENT.profile is None:
        ENVIRONMENT.profile = profile_text(value("PARTNERS_FILE"))
    PARTNERS = named_profile(value("PARTNERS_FILE"), ENVIRONMENT.profile)
except ProfileError as problem:
    ENVIRONMENT.problems["PARTNERS_FILE"] = f"PARTNERS_FILE: {problem}"
vars().update({name: value(name) for name in TABLE if name not in {*globals(), "DATABASE_URL", "EMAIL_URL"}})
if "PARTNERS_FILE" not in ENVIRONMENT.problems:
    wrong = why_no_start(
        PARTNERS,
        bboss_ips=value("BBOSS_ALLOWED_IPS"),
        bpm_ips=value("BPM_ALLOWED_IPS"),
        proxies=value("TRUSTED_PROXY_COUNT"),
        environment=os.environ,
    )
    if wrong:
        ENVIRONMENT.problems["PARTNERS_FILE"] = f"PARTNERS_FILE: {wrong}"
ENVIRONMENT.stop_on_problems()
