"""What production (BBOSS_ENV_FLAG=1) can't do without: such a deployment does not start. Knows no models."""

from django.conf import settings

from project.environment import TABLE

CHECK = "desk.010"
SANDBOX = {name: TABLE[name].default for name in ("BPM_BASE_URL", "BIGDATA_BASE_URL")}
NEEDED = {
    "BPM_CALLBACK_SECRET": "it signs BPM's approvals",
    "SITE_URL": "links in mails lead there",
    "DEFAULT_CONTACT_MAIL": "it gets what no attribution's SA gets",
}


def lacking() -> list[str]:
    """A line for each setting that is missing; none where test data is handled (BBOSS_ENV_FLAG=0)."""
    if settings.BBOSS_ENV_FLAG != "1":
        return []
    return [
        *(f"{name} is the sandbox's address" for name in SANDBOX if getattr(settings, name) == SANDBOX[name]),
        *(f"{name} is empty: {use}" for name, use in NEEDED.items() if not getattr(settings, name)),
        *(["EMAIL_URL is not set: no mail would leave this machine"] if not _sends_mail() else []),
    ]


def _sends_mail() -> bool:
    return any(settings.ENVIRONMENT.given(name) is not None for name in ("EMAIL_URL", "EMAIL_BACKEND"))
