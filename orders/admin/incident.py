"""Incidents and the orders that they stopped."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.admin.chips import StateChip
from orders.admin.read_only import ReadOnlyAdmin, ReadOnlyInline
from orders.models import AffectedOrder, Incident


class AffectedOrderInline(ReadOnlyInline):
    model = AffectedOrder
    fields = ["order", "detail", "since", "closed_at"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("order")


@admin.register(Incident)
class IncidentAdmin(StateChip, ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["code", "partner", "step", "state_chip", "count", "first_at", "last_at", "detail"]
    list_filter = ["state", "partner"]
    search_fields = ["code__exact", "step__exact"]
    search_help_text = _("the whole error code or step")
    inlines = [AffectedOrderInline]
    readonly_fields = ["state_chip"]
    fields = ["partner", "step", "code", "state_chip", "detail", "count", "first_at", "last_at"]


@admin.register(AffectedOrder)
class AffectedOrderAdmin(ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["order", "incident", "since", "closed_at", "detail"]
    list_filter = [("closed_at", admin.EmptyFieldListFilter)]
    list_select_related = ["order", "incident"]
    search_fields = ["order__number__exact"]
    search_help_text = _("the whole order number")
