"""The staff's site (contract section 6, `/admin/`)."""

from django.contrib.admin import AdminSite
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import BadRequest
from django.http import Http404
from django.urls import path
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from django.views.i18n import JavaScriptCatalog

from orders.restored_guard import is_restored
from project.admin_site.lists import guard
from project.admin_site.navigation import sections_of
from project.admin_site.paging import CappedPaginator

# Dotted paths: these modules use the apps' admin, which registers here first.
DASHBOARD, RESTORED_PAGE = "project.dashboard.page_context.dashboard", "project.restored_page.restored_page"
BLIND = "orders.admin.scope.why_blind"
FIND = "orders.search.page.find_page"
PAUSES, MAY_PAUSE = "orders.admin.pauses_in_force.pauses_for", "orders.admin.pauses_in_force.may_pause"


class ChoicesView(AutocompleteJsonView):
    """Names the rows to choose from by the `choice_words` of their ModelAdmin, if it has some."""

    def serialize_result(self, obj, to_field_name):
        words = getattr(self.model_admin, "choice_words", str)
        return super().serialize_result(obj, to_field_name) | {"text": words(obj)}


def nothing_there(*_asked):
    """Answers for a row that is not there, or not for this person. Django's own answer leads away and names the row."""
    raise Http404


class DeskAdminSite(AdminSite):
    """Django's admin with the desk's name, dashboard and menu, and with lists that count up to a limit."""

    site_header = _("IBS Order Desk")
    site_title = _("IBS Order Desk")
    index_title = _("Is today all right?")
    site_url = None

    def register(self, model_or_iterable, admin_class=None, **options):
        """Makes every list count its rows once and up to a limit, and tolerate nonsense in its address. A row
        that is not there and one that a person may not see have one answer."""
        super().register(model_or_iterable, admin_class, **options)
        for model_admin in self._registry.values():
            model_admin.paginator = CappedPaginator
            model_admin.show_full_result_count = False
            model_admin._get_obj_does_not_exist_redirect = nothing_there
            guard(model_admin)

    def each_context(self, request):
        """Adds what every page shows at its top: paused partners, a database that counts as restored, and that the
        account sees no order."""
        pauses = import_string(PAUSES)(request)
        return super().each_context(request) | {
            "pauses": pauses,
            "may_pause": bool(pauses) and import_string(MAY_PAUSE)(request.user),
            "desk_restored": request.user.is_staff and is_restored(),
            "blind": import_string(BLIND)(request.user),
        }

    def get_app_list(self, request, app_label=None):
        apps = super().get_app_list(request, app_label)
        return apps if app_label else sections_of(apps)

    def i18n_javascript(self, request, extra_context=None):
        """Adds our translations of words that Django's own catalogue lacks."""
        return JavaScriptCatalog.as_view(packages=["django.contrib.admin", "project"])(request)

    def get_urls(self):
        return [
            path("restored/", self.admin_view(self.restored), name="restored"),
            path("find/", self.admin_view(self.find), name="find"),
            *super().get_urls(),
        ]

    def find(self, request):
        return import_string(FIND)(request)

    def restored(self, request):
        return import_string(RESTORED_PAGE)(request, self)

    def index(self, request, extra_context=None):
        pauses = import_string(PAUSES)(request)
        figures = import_string(DASHBOARD)(request.user, now=timezone.now(), pauses=pauses)
        return super().index(request, {"desk": figures, **(extra_context or {})})

    def autocomplete_view(self, request):
        """Refuses NUL. No name contains it, and PostgreSQL would raise an error."""
        if "\0" in request.GET.get("term", ""):
            raise BadRequest("NUL")
        return ChoicesView.as_view(admin_site=self)(request)
