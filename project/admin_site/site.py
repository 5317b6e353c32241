"""The admin site for staff (contract section 6, `/admin/`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import BadRequest
from django.db import transaction
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.i18n import JavaScriptCatalog

from orders.history.actors import staff_actor
from orders.lists.live_pages import answer_live_page
from orders.lists.pauses_in_force import may_pause, pauses_for
from orders.lists.scope import why_blind
from orders.mails.inbox import unread_words
from orders.models import TrailEntry
from orders.office.digest.page import digest_page
from orders.office.inbox.page import inbox_page, open_message
from orders.pauses.planned import planned_soon
from orders.restore.detect_restore import is_restored
from orders.search.page import find_page
from project.accounts.company.company_login_pages import end_session_url
from project.accounts.emergency_accounts import LoginForm
from project.accounts.leave_page import leave_page
from project.accounts.login_trail import note_from
from project.accounts.passwords.max_age import is_too_old
from project.accounts.second_factor.login_code_page import FactorNeededError, login_code, request_code
from project.accounts.second_factor.mfa_required import may_have_factor
from project.accounts.second_factor.own_page import own_page
from project.accounts.session_expiry import seconds_left
from project.accounts.sessions_page import sessions_page
from project.admin_site.menu import MenuPage, short_menu, whole_menu
from project.manual.pages import manual_page


@dataclass(frozen=True)
class Parts:
    """Pages without a model. Their modules import ModelAdmins, so they can't be imported here."""

    dashboard: Callable
    dashboard_fingerprint: Callable
    restored_page: Callable
    menu_pages: Sequence[MenuPage]


class ChoicesView(AutocompleteJsonView):
    """Labels autocomplete choices by the ModelAdmin's method `choice_words`, if it has one."""

    def serialize_result(self, obj, to_field_name):
        words = getattr(self.model_admin, "choice_words", str)
        return super().serialize_result(obj, to_field_name) | {"text": words(obj)}


class DeskAdminSite(AdminSite):
    """Django's admin site with the desk's log-in, dashboard, menu and additional pages."""

    site_header = _("IBS Order Desk")
    site_title = _("IBS Order Desk")
    index_title = _("Is today all right?")
    site_url = None
    login_form = LoginForm
    parts: Parts  # set in project/apps.py after all ModelAdmins are registered

    def each_context(self, request):
        """Adds the context of the page header: paused partners, a restored database, and the reason why the user sees
        no orders. The context also has the unread messages and the end of the session."""
        pauses = pauses_for(request)
        return super().each_context(request) | {
            "pauses": pauses,
            "may_pause": bool(pauses) and may_pause(request.user),
            "desk_restored": request.user.is_staff and is_restored(),
            "blind": why_blind(request.user),
            "unread": partial(
                unread_words, request.user, now=timezone.now()
            ),  # a function, because only some templates need this query
            "session_left": seconds_left(request),
            "may_have_factor": request.user.is_staff and may_have_factor(request.user),
        }

    def get_app_list(self, request, app_label=None):
        """Returns the menu, sorted by place. Django's list would be sorted by name."""
        if app_label:
            return super().get_app_list(request, app_label)
        return short_menu(self, request, self.parts.menu_pages)

    def i18n_javascript(self, request, extra_context=None):
        """Returns the translations for scripts. Django's catalogue comes first. Ours adds the texts that are missing
        there."""
        return JavaScriptCatalog.as_view(packages=["django.contrib.admin", "project"])(request)

    def get_urls(self):
        pages = self.parts.menu_pages
        return [
            path("restored/", self.admin_view(partial(self.parts.restored_page, site=self)), name="restored"),
            path("login/code/", partial(login_code, site=self), name="login_code"),
            path("second-factor/", self.admin_view(partial(own_page, site=self)), name="second_factor"),
            path("digest/", self.admin_view(partial(digest_page, site=self)), name="digest"),
            path("inbox/", self.admin_view(partial(inbox_page, site=self)), name="inbox"),
            path("inbox/<int:pk>/", self.admin_view(open_message), name="inbox_open"),
            path("find/", self.admin_view(find_page), name="find"),
            path("sessions/", self.admin_view(partial(sessions_page, site=self)), name="sessions"),
            path("leave/", self.admin_view(partial(leave_page, site=self)), name="leave"),
            path("manual/", self.admin_view(partial(manual_page, site=self)), name="manual"),
            path("manual/<slug:slug>/", self.admin_view(partial(manual_page, site=self)), name="manual"),
            *(path(f"{one.name}/", self.admin_view(partial(one.page, site=self)), name=one.name) for one in pages),
            *super().get_urls(),
        ]

    def login(self, request, extra_context=None):
        """Shows the company log-in and the password form, as settings allow. If the account needs a second factor,
        redirects to the page for the code."""
        company = {"company": bool(settings.OIDC_ISSUER), "company_name": settings.OIDC_NAME}
        about = company | {"password_login": settings.PASSWORD_LOGIN} | (extra_context or {})
        try:
            return super().login(request, about)
        except FactorNeededError as needed:  # the password is right; the user is not logged in yet
            return request_code(request, needed.user)

    def logout(self, request, extra_context=None):
        """Ends the session. If the provider has an end-session URL, the page then opens that URL. A redirect is not
        possible, because the content security policy forbids that a form redirects to another site."""
        # This must precede the flush of the session, because the URL contains the session's ID token.
        address = end_session_url(request) if request.method == "POST" else ""
        return super().logout(request, {"end_address": address} | (extra_context or {}))

    def password_change(self, request, extra_context=None):
        """Records the change in the audit trail, in the same transaction."""
        with transaction.atomic():
            answer = super().password_change(request, {"too_old": is_too_old(request)} | (extra_context or {}))
            if answer.status_code == 302:
                user = request.user
                note_from(request, TrailEntry.Code.PASSWORD_CHANGED, by=staff_actor(user), about=user.get_username())
        return answer

    def index(self, request, extra_context=None):
        """Shows the dashboard as a live page."""

        def show():
            pauses = pauses_for(request)
            figures = self.parts.dashboard(request.user, now=timezone.now(), pauses=pauses)
            planned = planned_soon(now=timezone.now())
            about = {
                "desk": figures,
                "planned_pauses": planned,
                "app_list": whole_menu(self, request, self.parts.menu_pages),
            }
            return super(DeskAdminSite, self).index(request, about | (extra_context or {}))

        read = partial(self.parts.dashboard_fingerprint, request.user.pk, now=timezone.now())
        return answer_live_page(request, read, show)

    def autocomplete_view(self, request):
        """Raises BadRequest for a search text with a NUL character, which PostgreSQL rejects."""
        if "\0" in request.GET.get("term", ""):
            raise BadRequest("NUL")
        return ChoicesView.as_view(admin_site=self)(request)
