"""The outbox: what is to be sent, and every attempt."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.admin.chips import StateChip, chip
from orders.admin.json_block import json_block
from orders.admin.read_only import ReadOnlyAdmin, ReadOnlyInline
from orders.models import Attempt, Dispatch


class OutcomeChip:
    """An `outcome_chip` column."""

    @admin.display(description=_("outcome"), ordering="outcome")
    def outcome_chip(self, obj):
        return chip(Attempt.Outcome(obj.outcome))


class AttemptInline(OutcomeChip, ReadOnlyInline):
    model = Attempt
    fields = readonly_fields = ["number", "outcome_chip", "started_at", "finished_at", "http_status", "error", "worker"]


@admin.register(Dispatch)
class DispatchAdmin(StateChip, ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["step", "order", "channel", "state_chip", "attempts", "next_try_at", "error_code", "created_at"]
    list_filter = ["state", "channel", "step"]
    list_select_related = ["order"]
    search_fields = ["order__number__exact"]
    search_help_text = _("the whole order number")
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
        return json_block(obj.payload)

    @admin.display(description=_("what it is about"))
    def about_block(self, obj):
        return json_block(obj.about)


@admin.register(Attempt)
class AttemptAdmin(OutcomeChip, ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["dispatch", "order", "number", "outcome_chip", "http_status", "started_at", "finished_at", "worker"]
    list_filter = ["outcome"]
    list_select_related = ["dispatch__order"]
    search_fields = ["dispatch__order__number__exact"]
    search_help_text = _("the whole order number")
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
