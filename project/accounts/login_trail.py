"""Log-ins, failures and log-outs in the trail (contract 5, `audit`), by the signals that Django sends of each."""

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from orders.models import TrailEntry
from orders.people import staff_actor
from orders.services.trail import Code, note_act
from project.accounts.company.admission import COMPANY, NotLetInError
from project.accounts.login_guard import address_of, login_name
from project.observability.logs import one_line


@receiver(user_logged_in)
def note_login(request: HttpRequest, user, **signal) -> None:
    page = request.resolver_match
    way = COMPANY if page is not None and page.url_name == "company_callback" else "password"
    _note(Code.LOGIN, request, by=staff_actor(user), about=user.get_username(), way=way)


@receiver(user_logged_out)
def note_logout(request: HttpRequest, user, **signal) -> None:
    if user is not None and user.is_authenticated:
        _note(Code.LOGOUT, request, by=staff_actor(user), about=user.get_username())


@receiver(user_login_failed)
def note_failure(credentials: dict, request: HttpRequest | None = None, **signal) -> None:
    """A locked log-in is noted once while it lasts: further tries look at no password."""
    if request is None:
        return
    name = one_line(login_name(request, credentials))[:150]
    if not getattr(request, "axes_locked_out", False):
        _note(Code.LOGIN_FAILED, request, about=name)
        return
    known = {"code": Code.LOGIN_LOCKED, "about": name, "address": address_of(request) or ""}
    if not TrailEntry.objects.filter(at__gt=timezone.now() - settings.AXES_COOLOFF_TIME, **known).exists():
        _note(Code.LOGIN_LOCKED, request, about=name)


def note_not_let_in(request: HttpRequest, error: NotLetInError) -> None:
    """The provider knows this person, and the desk has no role for them, or has disabled the account."""
    _note(Code.LOGIN_REFUSED, request, by=COMPANY, about=one_line(error.person), why=error.code)


def _note(code: Code, request: HttpRequest | None, *, by: str = "", **about: str) -> None:
    address = address_of(request) if request is not None else None
    note_act(code, by=by, now=timezone.now(), address=address or "", **about)
