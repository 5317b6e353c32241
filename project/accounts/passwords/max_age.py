"""Redirects users to the page that changes the password, if theirs is older than PASSWORD_MAX_DAYS (contract 4)."""

import datetime

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from project.accounts.company.company_login_pages import ID_TOKEN
from project.accounts.session_expiry import PAGES
from project.base.middleware import Middleware

ALLOWED_PAGES = (
    "admin:password_change",
    "admin:logout",
    "admin:login",
    "admin:jsi18n",
)  # jsi18n: translations for scripts


def is_too_old(request: HttpRequest) -> bool:
    """Returns True if the user logged in with a password that is older than PASSWORD_MAX_DAYS."""
    days, session = settings.PASSWORD_MAX_DAYS, request.session
    if not days or SESSION_KEY not in session or ID_TOKEN in session or not request.user.is_authenticated:
        return False
    return timezone.now() - request.user.password_set_at >= datetime.timedelta(days=days)


class PasswordAgeMiddleware(Middleware):
    """Redirects users to the page that changes the password, if theirs is too old. Runs after the middleware that ends
    sessions, because an ended session has no user."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(PAGES) and is_too_old(request) and request.path not in map(reverse, ALLOWED_PAGES):
            return HttpResponseRedirect(reverse("admin:password_change"))
        return self.get_response(request)
