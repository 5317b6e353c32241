"""Ends sessions of staff after SESSION_IDLE_MINUTES without use and after SESSION_MAX_HOURS (contract 4).

The value 0 switches a limit off. The session itself stores the times of its beginning and its last use, as seconds
since 1970. So pages need no additional query, and a session is written at most once a minute.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout, user_logged_in
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from orders.lists.live_pages import is_poll
from project.accounts.second_factor.login_code_page import lacks_factor
from project.accounts.session_revocation import add_missing_session_row, end_revoked_session
from project.base.middleware import Middleware

BEGAN, USED = "desk_began", "desk_used"
IDLE, HOURS, FACTOR = "idle", "hours", "factor"
WRITTEN_EVERY = 60.0
"""Minimum seconds between two writes of the last use. A session may end early by this time. If SESSION_IDLE_MINUTES is
small, the last use is written more often."""
CLOCK_TOLERANCE = 120.0
"""Seconds. If the clock is further behind the last use, it was put back. Smaller differences occur between
machines."""
PAGES = "/admin/"
RELOAD_PARAMETER = "watch"
LOGIN_PAGES = ("admin:login", "admin:password_change")


def counts_as_use(request: HttpRequest) -> bool:
    """Returns False for automatic requests. These are polls of live pages, and reloads of pages without scripts, which
    have `watch` in their query string."""
    return not (is_poll(request) or (request.method == "GET" and RELOAD_PARAMETER in request.GET))


@dataclass(frozen=True)
class Times:
    began: float
    used: float

    def at(self, now: float) -> "Times":
        """Returns the times. If the clock was put back, the times are shifted by the same amount, so that the session
        does not last longer."""
        back = self.used - now
        return Times(self.began - back, now) if back > CLOCK_TOLERANCE else self

    def why_over(self, now: float) -> str | None:
        """Returns `idle` or `hours` if the session has expired. Otherwise returns None."""
        if settings.SESSION_MAX_HOURS and now - self.began >= settings.SESSION_MAX_HOURS * 3600:
            return HOURS
        if settings.SESSION_IDLE_MINUTES and now - self.used >= settings.SESSION_IDLE_MINUTES * 60:
            return IDLE
        return None


def begin_session(sender, request: HttpRequest, **kwargs) -> None:
    """Sets both times at a log-in. Without this call, a log-in within an existing session would keep the old times."""
    _store_times(request, Times(*[timezone.now().timestamp()] * 2))


user_logged_in.connect(begin_session, dispatch_uid="session_begins")


def _store_times(request: HttpRequest, times: Times) -> None:
    request.session[BEGAN], request.session[USED] = times.began, times.used


def times_of(session: Mapping[str, Any], now: float) -> Times:
    """Returns the session's times. A session without times comes from an older version, and begins now."""
    return Times(session.get(BEGAN, now), session.get(USED, now))


class SessionEndMiddleware(Middleware):
    """Ends expired sessions of staff. For valid sessions, records the use and the user. Runs after Django's
    AuthenticationMiddleware, which sets the user."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._answer(request)
        return _unauthorized(response) if is_poll(request) and response.status_code == 302 else response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(PAGES) and SESSION_KEY in request.session:
            now = timezone.now().timestamp()
            kept = times_of(request.session, now)
            times = kept.at(now)
            if why := times.why_over(now) or (lacks_factor(request) and FACTOR):
                logout(request)
                return _to_login_page(request, why)
            if counts_as_use(request) and now - times.used >= _written_every():
                times = Times(times.began, now)
            if times != kept or BEGAN not in request.session:
                _store_times(request, times)
            add_missing_session_row(request)
        response = self.get_response(request)
        end_revoked_session(request)
        return response


def _written_every() -> float:
    return min(WRITTEN_EVERY, settings.SESSION_IDLE_MINUTES * 6) if settings.SESSION_IDLE_MINUTES else WRITTEN_EVERY


def seconds_left(request: HttpRequest) -> dict[str, int]:
    """Returns the seconds until the session ends. `idle` is the time left without use, `hours` the time left regardless
    of use. Limits that are off are left out. `period` is the allowed number of seconds without use.

    Returns an empty dictionary if nobody is logged in, or if the session middleware has not run.
    """
    if SESSION_KEY not in getattr(request, "session", {}):
        return {}
    now = timezone.now().timestamp()
    times = times_of(request.session, now)
    ends = {
        IDLE: (settings.SESSION_IDLE_MINUTES * 60, times.used),
        HOURS: (settings.SESSION_MAX_HOURS * 3600, times.began),
    }
    left = {name: max(0, int(since + period - now)) for name, (period, since) in ends.items() if period}
    return left | {"period": settings.SESSION_IDLE_MINUTES * 60}


def _unauthorized(response: HttpResponse) -> HttpResponse:
    """Returns a 401 with the log-in page's URL, in place of a redirect to that page. A poll would follow a redirect."""
    leads_to = response.headers["Location"]
    if leads_to.split("?")[0] not in map(reverse, LOGIN_PAGES):
        return response
    return HttpResponse(status=401, headers={"Desk-Door": leads_to, "Cache-Control": "no-store"})


def _to_login_page(request: HttpRequest, why: str) -> HttpResponse:
    """Returns a redirect to the log-in page. The page shows the reason. After a POST it also shows that the form was
    ignored."""
    login_url = reverse("admin:login")
    leads_to = (
        reverse("admin:index") if request.path in {login_url, reverse("admin:logout")} else request.get_full_path()
    )
    query = {"next": leads_to, "ended": why} | ({"sent": 1} if request.method == "POST" else {})
    return HttpResponseRedirect(f"{login_url}?{urlencode(query)}")
