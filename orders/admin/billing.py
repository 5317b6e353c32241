"""Billing records, and the traffic of trials."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.admin.chips import StateChip
from orders.admin.read_only import ReadOnlyAdmin
from orders.admin.scope import Scoped
from orders.admin.search import OrderSearch
from orders.models import BillingRecord, TrialUsage


@admin.register(BillingRecord)
class BillingRecordAdmin(OrderSearch, Scoped, StateChip, ReadOnlyAdmin, admin.ModelAdmin):
    ordering = ["-pk"]
    list_display = ["domain", "order", "state_chip", "info_type", "product_id", "create_time", "cancel_time"]
    list_filter = ["state", "info_type"]
    list_select_related = ["order"]
    search_domain = "domain_key"
    search_help_text = _("order number or domain: whole, or how it begins")
    sortable_by = []
    readonly_fields = ["state_chip"]
    fields = [
        "order",
        "domain",
        "state_chip",
        "info_type",
        "product_id",
        "business_type",
        "create_time",
        "cancel_time",
        "cancelled_at",
        "dispatch",
    ]


@admin.register(TrialUsage)
class TrialUsageAdmin(OrderSearch, Scoped, ReadOnlyAdmin, admin.ModelAdmin):
    attribution_path = "trial__attribution"
    search_path = "trial"
    list_display = ["trial", "product_id", "enterprise_id", "data_flow", "asked_at"]
    list_select_related = ["trial"]
    search_help_text = _("order number: whole, or how it begins")
