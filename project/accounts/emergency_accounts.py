"""Emergency accounts for outages of the company log-in (contract 4, PASSWORD_LOGIN; 5, `emergency_account`)."""

import datetime
import hashlib
import secrets

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import SetPasswordForm
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.cache import never_cache

from notifications.mail_rendering import LANGUAGE
from orders.history.actors import staff_actor
from orders.history.order_locks_and_events import add_event
from orders.incidents.desk_incidents import open_desk_incident
from orders.mails.mail_creation import write_notices
from project.accounts.second_factor.codes import reset_second_factor
from project.accounts.second_factor.login_code_page import FactorNeededError
from project.accounts.second_factor.mfa_required import requires_code
from project.models import EmergencyAccount, User

EMERGENCY = "emergency"
EMERGENCY_LOGIN = "emergency_login"
LINK_VALIDITY = datetime.timedelta(minutes=30)
KEY = "emergency_key"


def is_emergency_only() -> bool:
    return settings.PASSWORD_LOGIN == EMERGENCY


class PasswordLoginGuard:
    """With PASSWORD_LOGIN=emergency, rejects the passwords of all accounts except emergency accounts."""

    def authenticate(self, request, username=None, password=None, **kwargs):
        if is_emergency_only() and not EmergencyAccount.objects.filter(user__username=username).exists():
            User().set_password(password)  # as slow as a verification: the time must not reveal marked accounts
            raise PermissionDenied


class LoginForm(AdminAuthenticationForm):
    """The log-in form. With PASSWORD_LOGIN=emergency, reports each log-in before the user is logged in.

    If a second factor is required, raises FactorNeededError.
    """

    def confirm_login_allowed(self, user):
        super().confirm_login_allowed(user)
        if is_emergency_only():
            notify_of_login(user, now=timezone.now())
        if requires_code(user):
            raise FactorNeededError(user)


@transaction.atomic
def notify_of_login(user: User, *, now: datetime.datetime) -> None:
    """At each log-in, records an event, opens the incident `emergency_login`, and mails the default contact."""
    name = user.get_username()
    add_event(None, EMERGENCY_LOGIN, by=staff_actor(user), now=now, account=name)
    open_desk_incident(EMERGENCY_LOGIN, params={"account": name}, now=now)
    if settings.DEFAULT_CONTACT_MAIL:
        with override(LANGUAGE):
            facts = {"account": name, "at": f"{timezone.localtime(now):%Y-%m-%d %H:%M}"}
        path = reverse("admin:orders_incident_changelist")
        mails = [settings.DEFAULT_CONTACT_MAIL]
        write_notices(kind="notice_emergency_login", mails=mails, facts=facts, path=path, now=now)


def usable_accounts(*, now: datetime.datetime) -> list[User]:
    """Returns the emergency accounts that can log in. They have a password, or a valid link to set a password."""
    rows = EmergencyAccount.objects.filter(user__is_active=True, user__is_staff=True).select_related("user")
    return [row.user for row in rows if row.user.has_usable_password() or (row.link_until or now) > now]


@transaction.atomic
def mark_emergency_account(user: User, *, by: str, now: datetime.datetime) -> str:
    """Marks the account, and resets its second factor. Returns a single-use link that sets the account's password. All
    earlier links become invalid."""
    key = secrets.token_urlsafe(32)
    link = {"link": _hash(key), "link_until": now + LINK_VALIDITY}
    EmergencyAccount.objects.update_or_create(user=user, defaults=link, create_defaults={"marked_at": now, **link})
    add_event(None, "emergency_marked", by=by, now=now, account=user.get_username())
    reset_second_factor(user, by=by, now=now)
    return f"{settings.SITE_URL}{reverse('emergency_link')}?key={key}"


def is_last_login(user: User, *, now: datetime.datetime) -> bool:
    """Returns True if this is the only emergency account that can log in."""
    return is_emergency_only() and usable_accounts(now=now) == [user]


@transaction.atomic
def unmark_emergency_account(user: User, *, by: str, now: datetime.datetime) -> None:
    EmergencyAccount.objects.filter(user=user).delete()
    add_event(None, "emergency_unmarked", by=by, now=now, account=user.get_username())


@never_cache
def emergency_link(request: HttpRequest) -> HttpResponse:
    """Sets the password of an emergency account, once. If the link is not valid, the status is 403.

    A URL with the key is redirected to a URL without the key, so that nobody sees the key. Neither our logs nor those
    of deploy/nginx.conf contain a query string. Until the password is set, the key is in a cookie, because a session
    would create a row for every anonymous visitor.
    """
    now, here = timezone.now(), reverse("emergency_link")
    key = request.GET.get("key", request.COOKIES.get(KEY, ""))
    valid = Q(link=_hash(key), link_until__gt=now, user__is_active=True, user__is_staff=True)
    row = EmergencyAccount.objects.select_related("user").filter(valid).first()
    if "key" in request.GET:
        answer = redirect(here)
        if row:
            answer.set_cookie(KEY, key, path=here, secure=settings.HTTPS_ONLY, httponly=True, samesite="Lax")
        else:
            answer.delete_cookie(KEY, path=here)
        return answer
    if row is None:
        return _page(request, status=403)
    form = SetPasswordForm(row.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            used = EmergencyAccount.objects.filter(valid, pk=row.pk).update(link="", link_until=None)
            if used:
                form.save()
                add_event(None, "emergency_password", by=staff_actor(row.user), now=now, account=row.user.username)
        answer = redirect("admin:login" if used else "emergency_link")
        answer.delete_cookie(KEY, path=here)
        return answer
    return _page(request, form=form)


def _page(request: HttpRequest, *, status: int = 200, **more) -> HttpResponse:
    context = admin.site.each_context(request) | {"title": _("Password of an emergency account")} | more
    return render(request, "admin/emergency_link.html", context, status=status)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
