"""The outbox: what is to be sent, and every attempt."""

from django.contrib import admin
from django.db.models import Q
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from orders.admin.chips import StateChip, chip
from orders.admin.filters import day_filter, word_filter
from orders.admin.json_block import json_block
from orders.admin.moments import ago
from orders.admin.personal import PersonalData, personal_block
from orders.admin.read_only import ReadOnlyAdmin, ReadOnlyInline
from orders.admin.scope import Scoped
from orders.admin.search import OrderSearch
from orders.causes import cause_of
from orders.models import Attempt, BillingDispatch, BpmDispatch, Dispatch, Order
from orders.models.dispatch import OPEN_STATES
from orders.services.incidents import PARTNERS

BacklogFilter = word_filter("backlog", _("backlog"), {
    "yes": (_("To be sent or retried"), Q(state__in=OPEN_STATES)),
    "failed": (_("Failed, not replaced"), Q(state=Dispatch.State.FAILED, superseded=False)),
})  # fmt: skip
PartnerFilter = word_filter("partner", _("partner"), {
    partner: (label, Q(channel__in=[channel for channel, its in PARTNERS.items() if its == partner]))
    for partner, label in (
        ("bigdata", _("Big data")), ("bpm", _("BPM")), ("mail", _("Mail")), ("files", _("Files"))
    )
})  # fmt: skip


class OutcomeChip:
    """An `outcome_chip` column."""

    @admin.display(description=_("outcome"), ordering="outcome")
    def outcome_chip(self, obj):
        return chip(Attempt.Outcome(obj.outcome))


class AttemptInline(OutcomeChip, ReadOnlyInline):
    model = Attempt
    fields = readonly_fields = ["number", "outcome_chip", "started_at", "finished_at", "http_status", "error", "worker"]


@admin.register(Dispatch)
class DispatchAdmin(PersonalData, OrderSearch, Scoped, StateChip, ReadOnlyAdmin, admin.ModelAdmin):
    ordering = ["-pk"]
    list_display = ["step", "order", "channel", "state_chip", "attempts", "next_try", "why", "created"]
    list_filter = [BacklogFilter, "state", PartnerFilter, "step"]
    list_select_related = ["order"]
    list_per_page = 50
    sortable_by = []
    search_help_text = _("order number: whole, or how it begins")
    inlines = [AttemptInline]
    readonly_fields = ["state_chip", "key", "payload_block", "about_block"]
    fieldsets = [
        (None, {"fields": ["order", "step", "channel", "state_chip", "error_code", "error", "definite"]}),
        (_("Times"), {"fields": ["created_at", "not_before", "next_try_at", "frozen_at", "done_at"]}),
        (
            _("Plan"),
            {"fields": ["position", "blocking", "gate", "lane", "undo", "attempts", "tries_left", "superseded"]},
        ),
        (_("Message"), {"fields": ["key", "records", "about_block", "payload_block"]}),
    ]

    @admin.display(description=_("payload"))
    def payload_block(self, obj):
        return personal_block(obj.payload, obj)

    @admin.display(description=_("what it is about"))
    def about_block(self, obj):
        return personal_block(obj.about, obj)

    def get_queryset(self, request):
        """A list needs no payloads; they are long."""
        return super().get_queryset(request).defer("payload")

    @admin.display(description=_("next try"))
    def next_try(self, obj):
        return ago(obj.next_try_at)

    @admin.display(description=_("created at"))
    def created(self, obj):
        return ago(obj.created_at)

    @admin.display(description=_("error"), empty_value="")
    def why(self, obj):
        if not obj.error_code:
            return None
        what = cause_of(obj.error_code).what
        return format_html('<span class="cut" title="{0} ({1})">{0} ({1})</span>', what, obj.error_code)


class ChannelDispatchAdmin(DispatchAdmin):
    """The outbox of one partner, with the order's customer and state beside each dispatch."""

    list_display = ["order", "step", "state_chip", "attempts", "next_try", "why", "order_chip", "created", "done_at"]
    list_filter = [BacklogFilter, "state", day_filter("created_at", _("created at"), parameter="created")]

    @admin.display(description=_("order's state"))
    def order_chip(self, obj):
        return chip(Order.State(obj.order.state))


@admin.register(BillingDispatch)
class BillingDispatchAdmin(ChannelDispatchAdmin):
    pass


@admin.register(BpmDispatch)
class BpmDispatchAdmin(ChannelDispatchAdmin):
    pass


@admin.register(Attempt)
class AttemptAdmin(OrderSearch, Scoped, OutcomeChip, ReadOnlyAdmin, admin.ModelAdmin):
    attribution_path = "dispatch__order__attribution"
    search_path = "dispatch__order"
    sortable_by = []
    ordering = ["-pk"]
    list_display = ["dispatch", "order", "number", "outcome_chip", "http_status", "started_at", "finished_at", "worker"]
    list_filter = ["outcome"]
    list_select_related = ["dispatch__order"]
    search_help_text = _("order number: whole, or how it begins")
    readonly_fields = ["outcome_chip", "request_id", "answer_block"]
    fields = [
        "dispatch",
        "number",
        "outcome_chip",
        "request_id",
        "started_at",
        "finished_at",
        "http_status",
        "error",
        "answer_block",
        "worker",
    ]

    @admin.display(description=_("order"), ordering="dispatch__order")
    def order(self, obj):
        return obj.dispatch.order

    @admin.display(description=_("answer"))
    def answer_block(self, obj):
        return json_block(obj.answer)
