"""Read-only pages, for rows that only services write, and lists with selectable columns."""

from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.lists.chips import chip_column, chip_parts
from orders.lists.chosen_columns import can_choose, leading, on_page
from orders.lists.list_query import COLUMNS, names_in
from orders.lists.model_admin import DeskAdmin

# Large columns of related rows, which no list shows: an order may have twenty thousand domains.
LARGE_OF = {
    "order": "content",
    "trial": "content",
    "activation": "content",
    "dispatch": "payload",
    "fix": "payload",
    "shape": "domains",
}


class ReadOnlyAdmin(DeskAdmin):
    """Nobody can add, change or delete rows, not even a superuser.

    Pages need no `readonly_fields`: without the permission to change, Django shows all `fields` as text.
    """

    list_per_page = 50
    sortable_by = []
    warns_of_gone_values = True
    state_chip = chip_column(gettext_lazy("state"), chip_parts, ordering="state")

    def show(self, request, template: str, *, status: int = 200, **context) -> TemplateResponse:
        """Returns the response of an additional page."""
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, template, context, status=status)

    def heading(self, obj) -> str:
        """Returns the title of the row's page, for staff. Logs use `str` instead."""
        return str(obj)

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        context["heading"] = self.heading(obj) if obj else ""
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def history_view(self, request, object_id, extra_context=None):
        response = super().history_view(request, object_id, extra_context)
        if obj := (getattr(response, "context_data", None) or {}).get("object"):
            heading = self.heading(obj)
            response.context_data |= {"heading": heading, "title": _("Change history: %s") % heading}
        return response

    def get_list_display(self, request):
        named = names_in(request.GET.get(COLUMNS, ""))
        return on_page(self, named) if can_choose(self) else super().get_list_display(request)

    def get_list_display_links(self, request, list_display):
        if self.list_display_links is None or not can_choose(self):
            return super().get_list_display_links(request, list_display)
        return [leading(self)]

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        related = self.list_select_related if isinstance(self.list_select_related, list | tuple) else ()
        large = [name for path in related for name in _large_columns(path.split("__"))]
        return rows.defer(*large) if large else rows

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


def _large_columns(path: list[str]) -> list[str]:
    """Returns the paths of large columns. For `["dispatch", "order"]`: `dispatch__payload`,
    `dispatch__order__content`."""
    return ["__".join([*path[: place + 1], LARGE_OF[name]]) for place, name in enumerate(path) if name in LARGE_OF]
