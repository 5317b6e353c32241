"""Reconciliations with the big-data side, and what differed."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.admin.filters import day_filter
from orders.admin.json_block import json_block
from orders.admin.read_only import ReadOnlyAdmin
from orders.admin.scope import Scoped, UnlimitedOnly
from orders.admin.search import OrderSearch
from orders.models import Difference, Reconciliation


@admin.register(Reconciliation)
class ReconciliationAdmin(UnlimitedOnly, ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["started_at", "finished_at", "by", "orders", "records", "differences", "fixed", "error"]
    list_filter = [day_filter("started_at", _("started at"), parameter="started")]
    sortable_by = []


@admin.register(Difference)
class DifferenceAdmin(OrderSearch, Scoped, ReadOnlyAdmin, admin.ModelAdmin):
    ordering = ["-pk"]
    list_display = ["job_id", "kind", "domain", "product_id", "reconciliation", "fix"]
    list_filter = ["kind"]
    list_select_related = ["reconciliation", "fix"]
    sortable_by = []
    search_domain = "domain"
    search_help_text = _("order number or domain: whole, or how it begins")
    readonly_fields = ["detail_block"]
    exclude = ["detail"]

    @admin.display(description=_("details"))
    def detail_block(self, obj):
        return json_block(obj.detail)
