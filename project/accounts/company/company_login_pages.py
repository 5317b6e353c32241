"""The views of the company log-in: start, callback from the provider, and log-out."""

import copy
import logging
import time
from urllib.parse import urlencode

import jwt
from django.conf import settings
from django.contrib import auth
from django.core import signing
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from mozilla_django_oidc.views import OIDCAuthenticationRequestView

from integrations.base.counters import count_login
from orders.history.actors import ACCOUNTS
from project.accounts.company.account_provisioning import ProvisioningError
from project.accounts.company.id_token import CompanyLogIn
from project.accounts.company.provider import ProviderError, callback_address, description, library_setting
from project.accounts.login_trail import note_company_failure, note_provisioning_error
from project.trail.trail_words import COMPANY_FAILED

STATES, NEXT, ID_TOKEN = "oidc_states", "oidc_login_next", "oidc_id_token"  # session keys of mozilla-django-oidc
COOKIE = "company_states"
STATE_SECONDS = 600  # time that a person has to log in at the provider
MOST_STATES, LONGEST_NEXT = 5, 1000  # so that the states fit into a cookie of 4096 characters
STATUS = {"away": 503, "denied": 403, "wrong": 400, "no_group": 403, "roles_apart": 403, "disabled": 403}
logger = logging.getLogger(__name__)


class Start(OIDCAuthenticationRequestView):
    """Redirects to the provider. If `next` is not a URL of this site, it is dropped."""

    get_settings = staticmethod(library_setting)

    def get(self, request: HttpRequest) -> HttpResponse:
        """Stores the states in a cookie, because the library would create a session row for every anonymous visitor."""
        given = copy.copy(request)
        given.session = kept = _pending_logins(request)
        answer = super().get(given)
        _set_states_cookie(answer, kept)
        return answer

    def get_extra_params(self, request: HttpRequest) -> dict:
        return {"redirect_uri": callback_address()}  # from SITE_URL: only this address is registered at the provider


@never_cache
@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """Redirects to the provider. The provider's metadata are fetched first, so that no user is redirected to a provider
    that is down."""
    try:
        description(fresh=True)
        return Start.as_view()(request)
    except ProviderError as error:
        return _error_page(request, "away", str(error), noted=False)


@never_cache
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    """Handles the provider's callback. A state is valid once, for ten minutes, and only in the browser that started the
    log-in.

    Anybody can call this URL, so failures are recorded in the audit trail only if the state is valid.
    """
    kept = _pending_logins(request)
    given = kept[STATES].pop(request.GET.get("state", ""), None)
    if given is None or time.time() - given["added_on"] >= STATE_SECONDS:
        why = "the state is not one of this browser's, or is too old"
        return _error_page(request, "wrong", why, noted=False)
    answer = _log_in(request, given, kept[NEXT] or reverse("admin:index"))
    _set_states_cookie(answer, kept)
    return answer


def _log_in(request: HttpRequest, given: dict, leads_to: str) -> HttpResponse:
    if "error" in request.GET or not request.GET.get("code"):
        return _error_page(request, "denied", f"the provider said {request.GET.get('error', 'nothing')[:64]}")
    try:
        if request.GET.get("iss", description()["issuer"]) != description()["issuer"]:  # RFC 9207
            return _error_page(request, "wrong", "the answer is of another issuer")
        log_in = CompanyLogIn()
        user = log_in.authenticate(request, nonce=given["nonce"], code_verifier=given["code_verifier"])
    except ProviderError as error:
        return _error_page(request, "away", str(error))
    except ProvisioningError as error:
        note_provisioning_error(request, error)
        return _error_page(request, error.code, error.code)
    except (SuspiciousOperation, jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        return _error_page(request, "wrong", f"{type(error).__name__}: {error}")
    if user is None:
        return _error_page(request, "wrong", "nobody was let in")
    auth.login(request, user, backend=ACCOUNTS)
    request.session[ID_TOKEN] = log_in.id_token
    count_login("company", "let_in")
    return HttpResponseRedirect(leads_to)


def _cookie_name() -> str:
    """Returns the cookie's name. With HTTPS_ONLY it has the prefix `__Host-`, so that no other host can set it."""
    return f"__Host-{COOKIE}" if settings.HTTPS_ONLY else COOKIE


def _pending_logins(request: HttpRequest) -> dict:
    """Returns the pending log-ins from this browser's cookie, by the session keys of mozilla-django-oidc."""
    try:
        return signing.loads(request.COOKIES.get(_cookie_name(), ""), salt=COOKIE, max_age=STATE_SECONDS)
    except signing.BadSignature:
        return {STATES: {}, NEXT: ""}


def _set_states_cookie(answer: HttpResponse, kept: dict) -> None:
    """Sets the cookie with the newest MOST_STATES states. Drops a `next` that is too long."""
    states = sorted(kept[STATES].items(), key=lambda one: one[1]["added_on"])[-MOST_STATES:]
    leads_to = kept[NEXT] if len(kept[NEXT] or "") <= LONGEST_NEXT else ""
    value = signing.dumps({STATES: dict(states), NEXT: leads_to}, salt=COOKIE)
    about = {"secure": settings.HTTPS_ONLY, "httponly": True, "samesite": "Lax"}
    answer.set_cookie(_cookie_name(), value, max_age=STATE_SECONDS, **about)


def _error_page(request: HttpRequest, code: str, why: str, *, noted: bool = True) -> HttpResponse:
    """Returns the error page. `why` is logged and must not contain a code or a token. If `noted`, the failure is also
    recorded in the audit trail."""
    logger.warning("company log-in: %s", why)
    count_login("company", "refused")
    if noted and code in COMPANY_FAILED:
        note_company_failure(request, code)
    context = {
        "code": code,
        "passwords": settings.PASSWORD_LOGIN == "all",
        "name": settings.DEFAULT_CONTACT_NAME,
        "mail": settings.DEFAULT_CONTACT_MAIL,
    }
    return render(request, "admin/company_refused.html", context, status=STATUS[code])


def end_session_url(request: HttpRequest) -> str:
    """Returns the provider's end-session URL. If the user did not log in at the provider, or if the provider has no
    such URL or is down, returns an empty text."""
    token = request.session.get(ID_TOKEN)
    if not token or not settings.OIDC_ISSUER:
        return ""
    try:
        address = description().get("end_session_endpoint")
    except ProviderError as error:
        logger.warning("company log-out: %s", error)
        return ""
    back = settings.SITE_URL + reverse("admin:login")
    asked = {"id_token_hint": token, "post_logout_redirect_uri": back, "client_id": settings.OIDC_CLIENT_ID}
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}" if address else ""
