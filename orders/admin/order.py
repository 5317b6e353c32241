"""Orders with all that they caused, their domains, and the claims on trials."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from approvals.models import ApprovalRecord
from orders.admin.chips import StateChip
from orders.admin.json_block import json_block
from orders.admin.order_list import OrderList
from orders.admin.read_only import ReadOnlyAdmin, ReadOnlyInline
from orders.admin.scope import Scoped
from orders.admin.search import OrderSearch
from orders.models import AffectedOrder, BillingRecord, Dispatch, Order, OrderDomain, OrderEvent, TrialClaim


class DomainInline(ReadOnlyInline):
    model = OrderDomain
    fields = ["name"]


class BillingInline(StateChip, ReadOnlyInline):
    model = BillingRecord
    fk_name = "order"
    fields = readonly_fields = ["state_chip", "info_type", "product_id", "domain", "create_time", "cancel_time"]


class DispatchInline(StateChip, ReadOnlyInline):
    model = Dispatch
    fields = readonly_fields = ["position", "step", "state_chip", "attempts", "next_try_at", "done_at", "error"]


class TroubleInline(ReadOnlyInline):
    model = AffectedOrder
    fields = ["incident", "detail", "since", "closed_at"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("incident")


class ApprovalInline(ReadOnlyInline):
    model = ApprovalRecord
    fields = ["time", "source", "node_name", "result", "operator", "opinion", "finished"]


class EventInline(ReadOnlyInline):
    model = OrderEvent
    fields = ["at", "actor", "kind", "data"]


@admin.register(Order)
class OrderAdmin(OrderList, Scoped, StateChip, ReadOnlyAdmin, admin.ModelAdmin):
    attribution_path = "attribution"
    inlines = [DomainInline, TroubleInline, DispatchInline, BillingInline, ApprovalInline, EventInline]
    readonly_fields = ["state_chip", "undo_to", "content_block"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "number",
                    "kind",
                    "state_chip",
                    "held_because",
                    "decision",
                    "decided_at",
                    "undo_since",
                    "undo_to",
                ]
            },
        ),
        (_("Trial"), {"fields": ["trial", "trial_number", "first"]}),
        (_("Times"), {"fields": ["biz_start", "biz_end", "start_at", "received_at", "planned_at", "live_at"]}),
        (_("Customer"), {"fields": ["enterprise_id", "enterprise_name", "cp_id", "user_id", "attribution"]}),
        (_("Operator"), {"fields": ["oper_user", "oper_tel", "oper_mail"]}),
        (_("Product"), {"fields": ["service_type", "prod_type", "product_id", "billing_method", "data_flow"]}),
        (_("Files"), {"fields": ["info_security", "info_security_table", "busi_info"]}),
        (_("At the partners"), {"fields": ["bpm_process", "trans_idh", "withdrawal_idh"]}),
        (_("Message"), {"classes": ["collapse"], "fields": ["content_block", "content_hash"]}),
    ]

    @admin.display(description=_("content as received"))
    def content_block(self, obj):
        return json_block(obj.content)


@admin.register(OrderDomain)
class OrderDomainAdmin(OrderSearch, Scoped, ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["name", "order"]
    list_select_related = ["order"]
    search_domain = "key"
    search_help_text = _("order number or domain: whole, or how it begins")


@admin.register(TrialClaim)
class TrialClaimAdmin(Scoped, ReadOnlyAdmin, admin.ModelAdmin):
    attribution_path = "activation__attribution"
    list_display = ["activation", "trial", "taken_at", "released_at"]
    list_select_related = ["activation", "trial"]
    list_filter = [("released_at", admin.EmptyFieldListFilter)]
    search_fields = ["activation__number__exact", "trial__number__exact"]
    search_help_text = _("the whole order number")
