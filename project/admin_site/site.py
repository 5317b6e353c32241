"""The staff's site (contract section 6, `/admin/`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import BadRequest
from django.http import Http404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.i18n import JavaScriptCatalog

from orders.lists.change_list import CappedPaginator
from orders.lists.guard import GuardedAdmin
from orders.lists.registration import Section, lists_in_order
from orders.restored_guard import is_restored


@dataclass(frozen=True)
class MenuPage:
    """A page of no model in the menu, behind its section's lists, for those who may open it."""

    section: Section
    title: str | Promise
    name: str
    may: Callable
    page: Callable


@dataclass(frozen=True)
class Parts:
    """Functions the site needs from other apps: for the page header, and for pages that belong to no model."""

    pauses_for: Callable
    may_pause: Callable
    why_blind: Callable
    dashboard: Callable
    find_page: Callable
    restored_page: Callable
    menu_pages: Sequence[MenuPage]
    end_address: Callable
    seconds_left: Callable


class ChoicesView(AutocompleteJsonView):
    """Labels autocomplete choices by the `choice_words` method of their ModelAdmin, if it has one."""

    def serialize_result(self, obj, to_field_name):
        words = getattr(self.model_admin, "choice_words", str)
        return super().serialize_result(obj, to_field_name) | {"text": words(obj)}


class DeskAdmin(GuardedAdmin, ModelAdmin):
    """Part of each ModelAdmin of the site: its list is guarded, and counts its rows once and up to a limit."""

    paginator = CappedPaginator
    show_full_result_count = False

    def _get_obj_does_not_exist_redirect(self, *_asked):
        """Missing and forbidden rows get the same 404. Django's default message would show the id."""
        raise Http404


class DeskAdminSite(AdminSite):
    """Django's admin with the desk's name, dashboard and menu, and with lists that count up to a limit."""

    site_header = _("IBS Order Desk")
    site_title = _("IBS Order Desk")
    index_title = _("Is today all right?")
    site_url = None
    parts: Parts  # set in project/apps.py at start: the functions import ModelAdmins, which first register here

    def register(self, model_or_iterable, admin_class=None, **options):
        own = admin_class or ModelAdmin
        super().register(model_or_iterable, type(own.__name__, (DeskAdmin, own), {}), **options)

    def each_context(self, request):
        """Adds facts for the page header: paused partners, whether the database is restored, and why the account sees
        no orders (if so)."""
        pauses = self.parts.pauses_for(request)
        return super().each_context(request) | {
            "pauses": pauses,
            "may_pause": bool(pauses) and self.parts.may_pause(request.user),
            "desk_restored": request.user.is_staff and is_restored(),
            "blind": self.parts.why_blind(request.user),
            "session_left": self.parts.seconds_left(request),
        }

    def get_app_list(self, request, app_label=None):
        """The menu's sections with the lists and pages that the user may read. Django sorts all by name first, on each
        page."""
        if app_label:
            return super().get_app_list(request, app_label)
        found: dict[Section, list[dict]] = {}
        for model, place in lists_in_order().items():
            model_admin, meta = self.get_model_admin(model), model._meta
            if model_admin.has_module_permission(request) and model_admin.has_view_or_change_permission(request):
                url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist", current_app=self.name)
                entry = {"name": capfirst(meta.verbose_name_plural), "object_name": meta.object_name, "admin_url": url}
                found.setdefault(place.section, []).append(entry | {"model": model})
        for page in self.parts.menu_pages:
            if page.may(request.user):
                url = reverse(f"admin:{page.name}", current_app=self.name)
                entry = {"name": page.title, "object_name": page.name, "admin_url": url}
                found.setdefault(page.section, []).append(entry)
        return [
            {"name": section.label, "app_label": section.value, "models": models} for section, models in found.items()
        ]

    def i18n_javascript(self, request, extra_context=None):
        """Adds our translations of words that Django's own catalogue lacks."""
        return JavaScriptCatalog.as_view(packages=["django.contrib.admin", "project"])(request)

    def get_urls(self):
        pages = self.parts.menu_pages
        return [
            path("restored/", self.admin_view(self.restored), name="restored"),
            path("find/", self.admin_view(self.parts.find_page), name="find"),
            *(path(f"{one.name}/", self.admin_view(partial(one.page, site=self)), name=one.name) for one in pages),
            *super().get_urls(),
        ]

    def restored(self, request):
        return self.parts.restored_page(request, self)

    def login(self, request, extra_context=None):
        """The one door: the company log-in, and passwords of all accounts or of those for an emergency."""
        company = {"company": bool(settings.OIDC_ISSUER), "company_name": settings.OIDC_NAME}
        return super().login(request, company | {"password_login": settings.PASSWORD_LOGIN} | (extra_context or {}))

    def logout(self, request, extra_context=None):
        """Ends the company log-in's session too: the page goes on there, since our policy forbids a form's redirect."""
        address = self.parts.end_address(request) if request.method == "POST" else ""
        return super().logout(request, {"end_address": address} | (extra_context or {}))

    def index(self, request, extra_context=None):
        pauses = self.parts.pauses_for(request)
        figures = self.parts.dashboard(request.user, now=timezone.now(), pauses=pauses)
        return super().index(request, {"desk": figures, **(extra_context or {})})

    def autocomplete_view(self, request):
        """Answers 400 to a search text with a NUL character, at which PostgreSQL would fail."""
        if "\0" in request.GET.get("term", ""):
            raise BadRequest("NUL")
        return ChoicesView.as_view(admin_site=self)(request)
