"""What production (BBOSS_ENV_FLAG=1) needs. A deployment without it does not start. Uses no models.

`python -m project.production` prints a line for each missing setting and ends with 1. gunicorn.conf.py runs it.
"""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from project.environment import SANDBOX

CHECK = "desk.010"
NO_EMERGENCY = "desk.019"  # PASSWORD_LOGIN=emergency without an account that can log in
NEEDED = {
    "BPM_CALLBACK_SECRET": "it signs BPM's approvals",
    "SITE_URL": "links in mails lead there",
    "DEFAULT_CONTACT_MAIL": "it gets what no attribution's SA gets",
}


def missing_settings() -> list[str]:
    if settings.BBOSS_ENV_FLAG != "1":
        return []
    return [
        *(f"{name} is the sandbox's address" for name in SANDBOX if getattr(settings, name) == SANDBOX[name]),
        *(f"{name} is empty: {use}" for name, use in NEEDED.items() if not getattr(settings, name)),
        *(["EMAIL_URL is not set: no mail would leave this machine"] if not _sends_mail() else []),
    ]


def _sends_mail() -> bool:
    return any(settings.ENVIRONMENT.given(name) is not None for name in ("EMAIL_URL", "EMAIL_BACKEND"))


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        lines = missing_settings()
    except ImproperlyConfigured as error:  # settings that can't be read
        lines = str(error).splitlines()
    for line in lines:
        print(f"the web process can't start: {line}", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
