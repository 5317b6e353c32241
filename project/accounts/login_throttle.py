"""Locks people out and slows down password guessing at /admin/.

django-axes counts the failures: AXES_FAILURE_LIMIT failures lock a user name for an IP address, for AXES_COOLOFF_TIME
(project/settings.py). This module determines the client address, adds two rules, and answers locked-out clients:

- Many failures with several user names lock an address for all names.
- Very many failures of a user name within an hour, from any address, slow down the log-ins of this user name. Each try
  then needs a ticket that is five seconds old. No thread waits for that, and a person with the right password can log
  in.
"""

import datetime

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessFailureLog
from django.conf import settings
from django.contrib import admin
from django.core import signing
from django.db import IntegrityError
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from integrations.bboss.caller_limits import caller_address, caller_of

LONGEST_NAME = 255  # the length of django-axes' column
ADDRESS_FAILURES, ADDRESS_NAMES = 50, 5
NAME_FAILURES, NAME_PERIOD = 100, datetime.timedelta(hours=1)
WAIT, TICKET_VALIDITY = datetime.timedelta(seconds=5), datetime.timedelta(minutes=5)
TICKET = "login_ticket"
ADDRESS, SLOW = "address", "slow"


def address_of(request: HttpRequest) -> str | None:
    """Returns the client's address by the same rule as for BBOSS (TRUSTED_PROXY_COUNT), or None if it is unknown.

    For IPv6 returns the /64 network, such as 2001:db8::, because one client usually has the whole network.
    """
    return caller_of(caller_address(request.META)).partition("/")[0] or None


def login_name(request: HttpRequest, credentials: dict | None) -> str:
    """Returns the submitted user name, cut to the column's length. No account has a longer name."""
    return str((credentials or request.POST).get("username", ""))[:LONGEST_NAME]


def guessing_addresses(now: datetime.datetime) -> QuerySet:
    """Returns the addresses that are locked for all user names, each as {"ip_address": …}."""
    lately = AccessFailureLog.objects.filter(attempt_time__gt=now - settings.AXES_COOLOFF_TIME).order_by()
    counted = lately.values("ip_address").annotate(failures=Count("pk"), names=Count("username", distinct=True))
    return counted.filter(failures__gte=ADDRESS_FAILURES, names__gte=ADDRESS_NAMES).values("ip_address")


def forget_failures(username: str, address: str | None) -> None:
    """Forgets the failures of this name and address, so that our two rules no longer apply to them. django-axes' own
    lock remains."""
    AccessFailureLog.objects.filter(Q(username=username) | Q(ip_address=address)).delete()


class LoginGuard(AxesDatabaseHandler):
    """django-axes' handler (AXES_HANDLER) with our two rules, based on its failure log of the last hour."""

    def is_locked(self, request: HttpRequest, credentials: dict | None = None) -> bool:
        if super().is_locked(request, credentials):
            return True
        now, address = request.axes_attempt_time, request.axes_ip_address
        if guessing_addresses(now).filter(ip_address=address).exists():
            request.login_lock = ADDRESS
            return True
        failures = AccessFailureLog.objects.filter(username=login_name(request, credentials))
        if failures.filter(attempt_time__gt=now - NAME_PERIOD).count() < NAME_FAILURES:
            return False
        last = failures.filter(ip_address=address).values_list("attempt_time", flat=True).first()
        ticket = _ticket_time(request, login_name(request, credentials))
        if ticket and (last is None or ticket > last):
            if ticket + WAIT <= now:
                return False
            request.login_ticket_kept = True  # a try that is too early does not extend the wait
        request.login_lock = SLOW
        return True

    def user_login_failed(self, sender, credentials, request=None, **kwargs):
        """Records the failure, and deletes failures older than NAME_PERIOD.

        After an IntegrityError the write is retried once, because a simultaneous log-in may delete the row between the
        library's queries.
        """
        try:
            super().user_login_failed(sender, credentials, request, **kwargs)
        except IntegrityError:
            super().user_login_failed(sender, credentials, request, **kwargs)
        if request is not None:
            AccessFailureLog.objects.filter(attempt_time__lte=request.axes_attempt_time - NAME_PERIOD).delete()

    def reset_attempts(self, *, ip_address=None, username=None, ip_or_username=False):
        """Also deletes the failures that our two rules count. The `axes_reset…` commands call this method."""
        given = {"ip_address": ip_address, "username": username}
        which = [Q(**{name: value}) for name, value in given.items() if value]
        rows = AccessFailureLog.objects.all()
        if which and ip_or_username:
            rows = rows.filter(Q.create(which, connector=Q.OR))
        elif which:
            rows = rows.filter(*which)
        rows.delete()
        return super().reset_attempts(ip_address=ip_address, username=username, ip_or_username=ip_or_username)


def _ticket_time(request: HttpRequest, name: str) -> datetime.datetime | None:
    """Returns the creation time of the browser's ticket for this name and address. Returns None without a valid
    ticket."""
    try:
        ticket = signing.loads(request.COOKIES.get(TICKET, ""), salt=TICKET)
        at = datetime.datetime.fromtimestamp(ticket["at"], datetime.UTC)
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return None
    ours = (ticket["name"], ticket["address"]) == (name, request.axes_ip_address)
    return at if ours and request.axes_attempt_time - TICKET_VALIDITY < at <= request.axes_attempt_time else None


def answer_locked(request: HttpRequest, response: HttpResponse, credentials: dict | None) -> HttpResponse:
    """Returns status 429. The response is the same for unknown accounts, so it does not reveal which accounts exist."""
    lock = getattr(request, "login_lock", None)
    wait = WAIT if lock == SLOW else settings.AXES_COOLOFF_TIME
    seconds = int(wait.total_seconds())
    context = {**admin.site.each_context(request), "minutes": seconds // 60, "seconds": seconds, "lock": lock}
    answer = render(request, "admin/login_locked.html", context, status=settings.AXES_HTTP_RESPONSE_CODE)
    answer["Retry-After"] = str(seconds)
    if lock == SLOW and not getattr(request, "login_ticket_kept", False):
        ticket = {
            "name": login_name(request, credentials),
            "address": request.axes_ip_address,
            "at": request.axes_attempt_time.timestamp(),
        }
        answer.set_cookie(
            TICKET,
            signing.dumps(ticket, salt=TICKET),
            max_age=TICKET_VALIDITY,
            path=reverse("admin:index"),  # includes the page of the second factor
            secure=settings.HTTPS_ONLY,
            httponly=True,
            samesite="Lax",
        )
    return answer
