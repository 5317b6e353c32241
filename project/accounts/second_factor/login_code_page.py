"""The second step of the log-in: requests a code, or sets up the second factor at the first log-in.

Between the steps, an anonymous session under a new key holds the user for ten minutes.
"""

import datetime
import hmac

from django.contrib import auth, messages
from django.contrib.auth.views import LoginView
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache

from integrations.base.counters import count_login
from orders.history.actors import ACCOUNTS
from project.accounts.company.company_login_pages import ID_TOKEN
from project.accounts.second_factor.codes import secret_in, set_up
from project.accounts.second_factor.forms import AppForm, CodeForm, app_context
from project.accounts.second_factor.mfa_required import needs_factor
from project.models import AuthenticatorApp, User

PENDING, VERIFIED_APP = "second_factor_pending", "second_factor"
VALID_FOR = datetime.timedelta(minutes=10)


class FactorNeededError(Exception):
    """The password of `user` was correct, and a code is required too."""

    def __init__(self, user: User):
        super().__init__(user.pk)
        self.user = user


def lacks_factor(request: HttpRequest) -> bool:
    """Returns True if this session needs a second factor and has none, or if the account has changed its app since.

    A query runs only if the account needs a second factor or the session has one. The company log-in has its own
    second factor.
    """
    if ID_TOKEN in request.session or not (VERIFIED_APP in request.session or needs_factor(request.user)):
        return False
    return not AuthenticatorApp.objects.filter(user=request.user, pk=request.session.get(VERIFIED_APP)).exists()


def request_code(request: HttpRequest, user: User) -> HttpResponse:
    """Ends the current session, stores the user in a new anonymous session, and redirects to the page for the code."""
    view = LoginView()
    view.setup(request)
    leads_to = view.get_success_url()  # `next`, if it is a URL of this site
    request.session.flush()
    at, proof = timezone.now().timestamp(), user.get_session_auth_hash()
    request.session[PENDING] = {"user": user.pk, "at": at, "proof": proof, "next": leads_to}
    return redirect("admin:login_code")


def _pending_user(request: HttpRequest) -> User | None:
    """Returns the user who has given the password within VALID_FOR, or None. The password must not have changed
    since."""
    kept = request.session.get(PENDING)
    if not kept or not 0 <= timezone.now().timestamp() - kept["at"] < VALID_FOR.total_seconds():
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True, is_staff=True).first()
    return user if user and hmac.compare_digest(kept["proof"], user.get_session_auth_hash()) else None


@never_cache
def login_code(request: HttpRequest, site) -> HttpResponse:
    user = _pending_user(request)
    if user is None:
        late = request.session.pop(PENDING, None)
        return redirect(reverse("admin:login", query={"ended": "code", "next": late["next"]} if late else None))
    app = AuthenticatorApp.objects.filter(user=user).first()
    return _code_page(request, app, site=site) if app else _set_up_page(request, user, site=site)


def _code_page(request: HttpRequest, app: AuthenticatorApp, *, site) -> HttpResponse:
    form = CodeForm(request.POST or None, request=request, app=app)
    if not form.is_valid():
        return _page(request, form, site=site)
    leads_to, left = _log_in(request, app), app.user.recovery_codes.count()
    if form.was_recovery_code:
        words = ngettext("One recovery code is left.", "%(left)d recovery codes are left.", left) % {"left": left}
        messages.warning(request, words)
    return redirect(leads_to)


def _set_up_page(request: HttpRequest, user: User, *, site) -> HttpResponse:
    kept = request.session[PENDING]
    secret = secret_in(kept, "secret")
    request.session[PENDING] = kept  # marks the session as modified
    form = AppForm(request.POST or None, secret=secret)
    if not form.is_valid():
        return _page(request, form, site=site, **app_context(request, secret, user))
    try:
        codes = set_up(user, secret=secret, step=form.step, now=timezone.now())
    except IntegrityError:  # another browser was first to set up an app, so a code of that app is required
        return redirect("admin:login_code")
    leads_to = _log_in(request, user.authenticator)
    return show_recovery_codes(request, codes, leads_to, site=site)


def _log_in(request: HttpRequest, app: AuthenticatorApp) -> str:
    """Logs the user in, under a new session key. Returns the URL to redirect to."""
    leads_to = request.session.pop(PENDING)["next"]
    auth.login(request, app.user, backend=ACCOUNTS)
    request.session[VERIFIED_APP] = app.pk
    count_login("password", "let_in")
    return leads_to


def _page(request: HttpRequest, form: CodeForm | AppForm, *, site, **more) -> HttpResponse:
    if form.is_bound:
        count_login("password", "refused")
    title = _("Set up the second factor") if more else _("Second factor")
    context = {**site.each_context(request), "title": title, "form": form, **more}
    return TemplateResponse(request, "admin/second_factor/login_code.html", context)


def show_recovery_codes(request: HttpRequest, codes: list[str], leads_to: str, *, site) -> HttpResponse:
    """Returns the page with the recovery codes. No other page shows them. It is the response to a POST, which browsers
    don't cache."""
    context = {**site.each_context(request), "title": _("Recovery codes"), "codes": codes, "leads_to": leads_to}
    return TemplateResponse(request, "admin/second_factor/recovery_codes.html", context)
