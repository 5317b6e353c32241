"""The user's page of their own second factor: shows when it was set up, replaces the app, or creates recovery codes."""

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from project.accounts.second_factor.codes import make_recovery_codes, secret_in, set_up
from project.accounts.second_factor.forms import AppForm, CodeForm, NewAppForm, app_context
from project.accounts.second_factor.login_code_page import VERIFIED_APP, show_recovery_codes
from project.accounts.second_factor.mfa_required import may_have_factor
from project.models import AuthenticatorApp

SECRET = "second_factor_secret"  # session key of the encrypted secret of an app that is being set up


@never_cache
def own_page(request: HttpRequest, site) -> HttpResponse:
    """Without an app, or with `anew` in the query string, GET shows a new app's secret, and POST sets up this app.
    Otherwise POST creates new recovery codes."""
    app = AuthenticatorApp.objects.filter(user=request.user).first()
    context = {**site.each_context(request), "title": _("Second factor"), "app": app}
    if not may_have_factor(request.user):
        return TemplateResponse(request, "admin/second_factor/own_page.html", context)
    now, anew = timezone.now(), app is None or "anew" in request.GET
    asked = {"request": request, "app": app} if app else {}
    if anew:
        secret = secret_in(request.session, SECRET)
        form = (NewAppForm if app else AppForm)(request.POST or None, secret=secret, **asked)
        context |= app_context(request, secret, request.user)
    else:
        form = CodeForm(request.POST or None, **asked)
    if not form.is_valid():
        context |= {"form": form, "anew": anew, "left": request.user.recovery_codes.count()}
        return TemplateResponse(request, "admin/second_factor/own_page.html", context)
    if anew:
        codes = set_up(request.user, secret=request.session.pop(SECRET), step=form.step, now=now, anew=True)
        request.session[VERIFIED_APP] = AuthenticatorApp.objects.get(user=request.user).pk
    else:
        codes = make_recovery_codes(request.user, now=now)
    return show_recovery_codes(request, codes, reverse("admin:second_factor"), site=site)
