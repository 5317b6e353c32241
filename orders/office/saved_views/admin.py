"""Admin pages of saved views: a user's own and shared views, and the actions of a view's owner."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from orders.history.actors import name_of, staff_actor
from orders.lists.cells import column
from orders.lists.chosen_columns import chosen, columns_of
from orders.lists.filter_kinds import PlacesFilter
from orders.lists.filter_link import FilterChangeList, ListFilter, filter_words
from orders.lists.list_query import Condition, address_query, columns_in, read_query
from orders.lists.personal_data import masked_field
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import (
    TRACES,
    Section,
    address_of_list,
    admin_of,
    exported_lists,
    register_list,
    title_of,
)
from orders.lists.scope import OwnRows, attributions_of
from orders.lists.time_cells import ago_field
from orders.models import Province
from orders.office.exports.models import ScheduledExport
from orders.office.saved_views.models import SavedView
from orders.office.saved_views.service import (
    LONGEST_QUERY,
    change_view,
    delete_view,
    rename_view,
    save_view,
    share_view,
)
from orders.office.saved_views.tabs import SHARE, count_views, may_see, seen_views, tab_of
from orders.texts.errors import OrderError


@register_list(
    SavedView,
    menu=(Section.DESK, 80),
    needed_by=TRACES,
    empty=gettext_lazy("No view yet. Filter a list, then save it as a view there."),
    same_for_all=True,
)
class SavedViewAdmin(OwnRows, ReadOnlyAdmin):
    changelist = FilterChangeList
    list_display = ["title", "list_title", "open_link", "filter_words", "whose", "shared_with", "saved"]
    title = masked_field("name", gettext_lazy("name"))
    list_filter = [ListFilter]
    list_select_related = ["owner", "role"]
    change_form_template = "views/form.html"
    fields = ["list_title", "open_link", "filter_words", "column_words", "whose", "shared_with", "saved"]

    def own_rows(self, user, rows):
        return rows.filter(pk__in=seen_views(user).values("pk"))

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None:
            own = obj.owner_id == request.user.pk
            roles = list(request.user.groups.all()) if own and request.user.has_perm(SHARE) else []
            present = [obj.role] if obj.role and obj.role not in roles else []
            context |= {"view": obj, "own": own, "roles": [*present, *roles]}
            context["schedules"] = ScheduledExport.objects.filter(view=obj).count() if own else 0
            context["subtitle"] = None
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    list_title = column(gettext_lazy("list"), lambda obj: title_of(obj.list_name))

    @admin.display(description=gettext_lazy("open"))
    def open_link(self, obj):
        return format_html('<a href="{}">{}</a>', view_address(obj), _("Open the list"))

    @admin.display(description=gettext_lazy("filter"))
    def filter_words(self, obj):
        return filter_words(obj.list_name, obj.query, getattr(obj, "filter_rows", None))

    @admin.display(description=gettext_lazy("columns"))
    def column_words(self, obj):
        columns = columns_of(admin_of(obj.list_name))
        return _(", ").join(columns[one].label if one in columns else one for one in tab_of(obj).columns) or _(
            "The usual ones"
        )

    whose = column(gettext_lazy("whose view"), lambda obj: name_of(obj.owner.get_username()))

    @admin.display(description=gettext_lazy("shared with"))
    def shared_with(self, obj):
        return obj.role.name if obj.role else "-"

    saved = ago_field("created_at", gettext_lazy("saved at"))

    # --- acts

    def get_urls(self):
        acts = {"update": self.update, "rename": self.rename, "share": self.share, "remove": self.remove}
        wrap = self.admin_site.admin_view
        return [
            path("save/<slug:name>/", wrap(require_POST(self.save_view)), name="orders_savedview_save"),
            path("counts/<slug:name>/", wrap(require_safe(self.counts_view)), name="orders_savedview_counts"),
            *(
                path(f"<int:pk>/{key}/", wrap(require_POST(self._on_own(act))), name=f"orders_savedview_{key}")
                for key, act in acts.items()
            ),
            *super().get_urls(),
        ]

    def counts_view(self, request: HttpRequest, name: str) -> JsonResponse:
        self._check_may_see(request, name)
        return JsonResponse(count_views(name, request.user))

    def save_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Saves a list's filter and columns as a view. The list's page posts its URL and a name."""
        self._check_may_see(request, name)
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            view = save_view(
                owner=request.user,
                list_name=name,
                name=request.POST.get("name", ""),
                **_given(request, name),
                by=staff_actor(request.user),
                now=timezone.now(),
            )
        except OrderError as error:
            messages.error(request, error.words())
            return HttpResponseRedirect(
                f"{address_of_list(admin_of(name).model)}?{request.POST.get('query', '')[:LONGEST_QUERY]}"
            )
        messages.success(request, _("Saved as the view “%(name)s”.") % {"name": view})
        return HttpResponseRedirect(view_address(view))

    def update(self, request: HttpRequest, view: SavedView, about: dict) -> HttpResponse:
        change_view(view=view, **_given(request, view.list_name), **about)
        messages.success(request, _("The view “%(name)s” was changed.") % {"name": view})
        return HttpResponseRedirect(view_address(view))

    def rename(self, request: HttpRequest, view: SavedView, about: dict) -> HttpResponse:
        rename_view(view=view, name=request.POST.get("name", ""), **about)
        messages.success(request, _("It is called “%(name)s” now.") % {"name": view})
        return redirect("admin:orders_savedview_change", view.pk)

    def share(self, request: HttpRequest, view: SavedView, about: dict) -> HttpResponse:
        """Shares the view with the role of the posted id. Without an id, stops sharing. This needs no permission."""
        given = request.POST.get("role", "")
        if given and not request.user.has_perm(SHARE):
            raise PermissionDenied
        known = {str(role.pk): role for role in filter(None, [view.role, *request.user.groups.all()])}
        if given and given not in known:
            raise Http404
        if given and attributions_of(request.user):  # views from older versions may lack this filter
            query = _as_seen(request, view.list_name, view.query)
            if query != view.query:
                change_view(view=view, query=query, columns=view.columns, **about)
        share_view(view=view, role=known.get(given), **about)
        shared = _("Everybody with the role %(role)s sees it now, each with their own rights.")
        messages.success(request, shared % {"role": known[given].name} if given else _("Only you see it now."))
        return redirect("admin:orders_savedview_change", view.pk)

    def remove(self, request: HttpRequest, view: SavedView, about: dict) -> HttpResponse:
        delete_view(view=view, **about)
        messages.success(request, _("The view “%(name)s” was deleted.") % {"name": view})
        return redirect("admin:orders_savedview_changelist")

    def _on_own(self, act):
        """Wraps an action on a saved view. Answers 404 if the view is not the user's own."""

        def answer(request: HttpRequest, pk: int) -> HttpResponse:
            if not self.has_view_permission(request):
                raise PermissionDenied
            view = get_object_or_404(seen_views(request.user).filter(owner=request.user), pk=pk)
            try:
                return act(request, view, {"by": staff_actor(request.user), "now": timezone.now()})
            except OrderError as error:
                messages.error(request, error.words())
                return redirect("admin:orders_savedview_change", pk)

        return answer

    def _check_may_see(self, request: HttpRequest, name: str) -> None:
        if name not in exported_lists():
            raise Http404
        if not may_see(request.user, admin_of(name)):
            raise PermissionDenied


def view_address(view: SavedView) -> str:
    return address_of_list(admin_of(view.list_name).model) + tab_of(view).address


def _given(request: HttpRequest, name: str) -> dict:
    """Returns the filter and columns from the form's `query` (the list's URL). Raises ExportError if the filter or a
    column is invalid."""
    query = request.POST.get("query", "")
    return {"query": _as_seen(request, name, query), "columns": chosen(admin_of(name), columns_in(query))}


def _as_seen(request: HttpRequest, name: str, query: str) -> str:
    """If the filter has no attributions, adds the attributions of a limited user. Otherwise a colleague who opens the
    view could see rows that its owner does not see. Raises ExportError."""
    model_admin = admin_of(name)
    conditions = read_query(model_admin, query)
    letters = sorted(attributions_of(request.user) or ())
    if not letters or any(one.name.partition("__")[0] == "attribution" for one in conditions):
        return address_query(conditions)
    own = PlacesFilter in model_admin.list_filter
    pairs = [("attribution", ",".join(letters))] if own else [("attribution__letters__exact", one) for one in letters]
    names = Province.objects.filter(letters__in=letters).order_by("letters").values_list("name", flat=True)
    messages.info(request, _("The view keeps to what you see: %(places)s.") % {"places": _(", ").join(names)})
    return address_query([*conditions, *(Condition(name, name, value) for name, value in pairs)])
