"""Writes log-ins, failed log-ins and log-outs to the audit trail (contract 5, `audit`) by Django's signals."""

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from orders.history.actors import staff_actor
from orders.history.trail_writes import note_act
from orders.models import TrailEntry
from project.accounts.company.account_provisioning import COMPANY, ProvisioningError
from project.accounts.login_throttle import address_of, login_name
from project.base.logs import one_line

WAYS = {"company_callback": COMPANY, "login_code": "code"}
"""The log-in method, by the name of the URL that logged the user in."""


@receiver(user_logged_in)
def note_login(request: HttpRequest, user, **signal) -> None:
    page = request.resolver_match
    way = WAYS.get(page.url_name if page is not None else "", "password")
    note_from(request, TrailEntry.Code.LOGIN, by=staff_actor(user), about=user.get_username(), way=way)


@receiver(user_logged_out)
def note_logout(request: HttpRequest, user, **signal) -> None:
    if user is not None and user.is_authenticated:
        note_from(request, TrailEntry.Code.LOGOUT, by=staff_actor(user), about=user.get_username())


@receiver(user_login_failed)
def note_failure(credentials: dict, request: HttpRequest | None = None, **signal) -> None:
    """Records a failed log-in. Failures of a locked account are recorded once per lock, because its passwords are not
    verified."""
    if request is None:
        return
    name = one_line(login_name(request, credentials))[:150]
    if not getattr(request, "axes_locked_out", False):
        why = {"why": "code"} if "token" in credentials else {}
        note_from(request, TrailEntry.Code.LOGIN_FAILED, about=name, **why)
        return
    known = {"code": TrailEntry.Code.LOGIN_LOCKED, "about": name, "address": address_of(request) or ""}
    if not TrailEntry.objects.filter(at__gt=timezone.now() - settings.AXES_COOLOFF_TIME, **known).exists():
        note_from(request, TrailEntry.Code.LOGIN_LOCKED, about=name)


def note_provisioning_error(request: HttpRequest, error: ProvisioningError) -> None:
    """Records a company log-in of a person without a role here, or with a disabled account."""
    note_from(request, TrailEntry.Code.LOGIN_REFUSED, by=COMPANY, about=one_line(error.person), why=error.code)


def note_company_failure(request: HttpRequest, why: str) -> None:
    """Records a company log-in that failed. `why` is a key of trail_words.COMPANY_FAILED. Nothing else is stored.

    No lock limits these log-ins. So for each address and `why`, at most AXES_FAILURE_LIMIT rows are written per
    AXES_COOLOFF_TIME.
    """
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    lately = TrailEntry.objects.filter(
        code=TrailEntry.Code.LOGIN_FAILED, at__gt=since, address=address_of(request) or ""
    )
    if lately.filter(data__why=why).count() < settings.AXES_FAILURE_LIMIT:
        note_from(request, TrailEntry.Code.LOGIN_FAILED, why=why)


def note_from(request: HttpRequest | None, code: TrailEntry.Code, *, by: str = "", **about) -> None:
    """Writes a row about an action on a page, with the client's address. The address is empty without a request."""
    address = address_of(request) if request is not None else None
    note_act(code, by=by, now=timezone.now(), address=address or "", **about)
