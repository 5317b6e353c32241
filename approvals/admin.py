"""The approval history: read, never written here."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from approvals.models import ApprovalRecord

Result = ApprovalRecord.Result
TONES = {Result.PASS: "green", Result.WAIVE: "green", Result.REJECT: "red", Result.RETURN: "amber"}


@admin.register(ApprovalRecord)
class ApprovalRecordAdmin(admin.ModelAdmin):
    list_display = ["record_id", "order", "source", "node_name", "result_chip", "finished", "operator", "time"]
    list_filter = ["result", "source", "finished"]
    list_select_related = ["order"]
    search_fields = ["order__number__exact", "record_id__exact"]
    search_help_text = _("the whole order number or record id")
    show_full_result_count = False
    readonly_fields = ["result_chip"]
    fields = [
        "record_id",
        "order",
        "source",
        "node",
        "node_name",
        "result_chip",
        "finished",
        "operator",
        "opinion",
        "time",
        "received_at",
    ]

    @admin.display(description=_("result"), ordering="result")
    def result_chip(self, obj):
        return format_html('<span class="chip chip-{}">{}</span>', TONES[obj.result], obj.get_result_display())

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
