"""Finds credentials that expire soon: BBOSS's tokens, the read API's tokens, and our certificate towards partners."""

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from integrations.bboss.envelope_checks import token_expiry
from integrations.models import ApiToken
from project.base.certificates import certificate_expiry

SOON = datetime.timedelta(days=14)
BBOSS_TOKEN, API_TOKEN, CERTIFICATE = "bboss_token", "api_token", "client_certificate"
WORDS = {
    BBOSS_TOKEN: _(
        "BBOSS's token %(name)s is valid until %(day)s. Have a new one entered beside it, and BBOSS change to it."
    ),
    API_TOKEN: _("The token by which %(name)s reads our orders is valid until %(day)s. Issue a new one."),
    CERTIFICATE: _("Our certificate towards partners is valid until %(day)s. Have a new one put in place."),
}


@dataclass(frozen=True)
class Expiry:
    """A credential and its expiry. `name` is the position of a BBOSS token (the token itself is secret), the system of
    a token of the read API, or the certificate's setting."""

    what: str
    name: str
    ends: datetime.datetime

    @property
    def words(self) -> str:
        """Returns a sentence about the expiry and the next step, in the reader's language."""
        return str(WORDS[self.what]) % {"name": self.name, "day": f"{timezone.localtime(self.ends):%Y-%m-%d}"}


def expiring(*, now: datetime.datetime) -> list[Expiry]:
    """Returns the credentials that expire within 14 days, the soonest first. One query.

    An expired token of the read API is included for 14 days. After that the system obviously needs no token.
    """
    today = timezone.localdate(now)
    systems = [one for one in api_tokens() if abs(timezone.localdate(one.ends) - today) <= SOON]
    return sorted([*expiring_here(now=now), *systems], key=lambda one: one.ends)


def expiring_here(*, now: datetime.datetime) -> list[Expiry]:
    """Returns the expiring credentials of settings and files, without a query. The dashboard shows these credentials to
    all users. They do not include the tokens of the read API, which not all users see.

    If a token of BBOSS has expired, it is included only if no other token is valid.
    """
    tokens = [found for found in bboss_tokens() if found.ends > now] or list(bboss_tokens())
    return [one for one in [*tokens, *client_certificate()] if one.ends < now + SOON]


def bboss_tokens() -> Iterator[Expiry]:
    """Yields our tokens for BBOSS. Leaves out tokens with a day that can't be parsed: `check` reports them
    (desk.002)."""
    for place, token in enumerate(settings.BBOSS_ACCESS_TOKENS, 1):
        if ends := token_expiry(token):
            yield Expiry(BBOSS_TOKEN, str(place), ends)


def api_tokens() -> Iterator[Expiry]:
    """Yields the read API's tokens that are not revoked. Includes expired tokens. Needs one query."""
    zone = timezone.get_current_timezone()
    for system, day in ApiToken.objects.filter(revoked_at=None).values_list("system", "valid_until"):
        yield Expiry(API_TOKEN, system, datetime.datetime.combine(day, datetime.time.max, zone))


def client_certificate() -> Iterator[Expiry]:
    """Yields our certificate towards partners, if there is one. If the file can't be read, `check` reports that
    (desk.011)."""
    if settings.PARTNER_CLIENT_CERT:
        with contextlib.suppress(OSError, ValueError):
            yield Expiry(CERTIFICATE, "PARTNER_CLIENT_CERT", certificate_expiry(settings.PARTNER_CLIENT_CERT[0]))
