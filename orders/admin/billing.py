"""Billing records, and the traffic of trials."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.admin.chips import StateChip
from orders.admin.read_only import ReadOnlyAdmin
from orders.models import BillingRecord, TrialUsage


@admin.register(BillingRecord)
class BillingRecordAdmin(StateChip, ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["domain", "order", "state_chip", "info_type", "product_id", "create_time", "cancel_time"]
    list_filter = ["state", "info_type"]
    list_select_related = ["order"]
    search_fields = ["order__number__exact", "domain_key__exact"]
    search_help_text = _("the whole order number, or the whole domain in lower case")
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
class TrialUsageAdmin(ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["trial", "product_id", "enterprise_id", "data_flow", "asked_at"]
    list_select_related = ["trial"]
    search_fields = ["trial__number__exact", "enterprise_id__exact"]
    search_help_text = _("the whole order number or enterprise id")
