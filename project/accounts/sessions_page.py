"""The page 我的会话 (my sessions), and the same page of a colleague's account for users who may change accounts."""

import datetime
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import BadRequest
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.db.unstorable_values import is_id
from orders.history.actors import name_of, staff_actor
from orders.models import TrailEntry
from orders.people.second_person import second_person_words
from project.accounts.company.company_login_pages import ID_TOKEN
from project.accounts.login_trail import note_from
from project.accounts.session_expiry import times_of
from project.accounts.session_revocation import ENTERED, end_sessions
from project.models import AccountSession, User
from project.trail.trail_words import WAYS

ALL = "all"
BROWSERS = {  # User-Agent tokens; an agent with a later token may also contain earlier tokens
    "MicroMessenger": gettext_lazy("WeChat"),
    "Edg": gettext_lazy("Edge"),
    "Firefox": gettext_lazy("Firefox"),
    "Chrome": gettext_lazy("Chrome"),
    "Safari": gettext_lazy("Safari"),
}
SYSTEMS = {
    "Windows": gettext_lazy("a Windows computer"),
    "Android": gettext_lazy("an Android phone"),
    "iPhone": gettext_lazy("an iPhone"),
    "iPad": gettext_lazy("an iPad"),
    "Macintosh": gettext_lazy("a Mac"),
    "Linux": gettext_lazy("a Linux computer"),
}


@dataclass(frozen=True)
class OpenSession:
    """A session as shown to its user. `address` and `agent` are empty if unknown."""

    pk: int
    began: datetime.datetime
    used: datetime.datetime
    address: str
    agent: str
    way: str | Promise
    is_this: bool

    @property
    def browser(self) -> str:
        found = [
            next((words for name, words in known.items() if name in self.agent), "") for known in (BROWSERS, SYSTEMS)
        ]
        return _(", ").join(map(str, filter(None, found)))


def open_sessions(user: User, *, now: datetime.datetime, own: SessionBase) -> list[OpenSession]:
    """Returns the open sessions, most recently used first.

    `own` is this request's session. Its times are read from memory, because it is saved only after the response.
    """
    rows = AccountSession.objects.filter(user=user, session__expire_date__gt=now).select_related("session")
    found = filter(None, (_open_session(row, now.timestamp(), own) for row in rows))
    return sorted(found, key=lambda one: one.used, reverse=True)


def _open_session(row: AccountSession, now: float, own: SessionBase) -> OpenSession | None:
    is_this = row.session_id == own.session_key
    data = own if is_this else row.session.get_decoded()
    times, entered = times_of(data, now).at(now), data.get(ENTERED, {})
    if times.why_over(now) or data.get(SESSION_KEY) != str(row.user_id):
        return None
    began, used = (datetime.datetime.fromtimestamp(at, datetime.UTC) for at in (times.began, times.used))
    way = WAYS["company" if data.get(ID_TOKEN) else "password"]
    return OpenSession(row.pk, began, used, entered.get("address", ""), entered.get("agent", ""), way, is_this)


def sessions_page(request: HttpRequest, site, person: User | None = None) -> HttpResponse:
    """GET shows the sessions of an account, or the user's own. POST ends the session whose id is in `end`. If `end` is
    `all`, POST ends all sessions. The current session is never ended. For another `end`, raises BadRequest."""
    person = person or request.user
    if request.method == "POST":
        _end(request, person)
        return redirect(request.path)
    own = person.pk == request.user.pk
    now = timezone.now()
    found = open_sessions(person, now=now, own=request.session)
    title = _("My sessions") if own else _("Sessions of %(name)s") % {"name": name_of(person.get_username())}
    about = {"title": title, "own": own, "person": person, "sessions": found}
    about["second_person"] = second_person_words(person, now=now)
    about["others"] = any(not one.is_this for one in found)
    return TemplateResponse(request, "admin/sessions.html", site.each_context(request) | about)


def _end(request: HttpRequest, person: User) -> None:
    asked = request.POST.get("end", "")
    if asked != ALL and not is_id(asked):
        raise BadRequest("end")
    which = ~Q(pk=request.session.session_key) & (Q() if asked == ALL else Q(of__pk=asked))
    with transaction.atomic():
        ended = end_sessions([person.pk], which)
        if ended:
            about = {"about": person.get_username(), "count": ended}
            note_from(request, TrailEntry.Code.SESSIONS_ENDED, by=staff_actor(request.user), **about)
    if ended:
        messages.success(
            request, ngettext("%(n)s session has ended.", "%(n)s sessions have ended.", ended) % {"n": ended}
        )
    else:
        messages.warning(request, _("No session was left to end."))
