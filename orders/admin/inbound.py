"""What BBOSS sent us, accepted or refused."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from orders.admin.json_block import json_block
from orders.admin.read_only import ReadOnlyAdmin
from orders.models import AcceptedCall, InboundMessage

ACCEPTED = "00000"


def tone(rsp_code: str) -> str:
    """Green for an accepted message, red for a refused one."""
    return "green" if rsp_code == ACCEPTED else "red"


@admin.register(InboundMessage)
class InboundMessageAdmin(ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["trans_ido", "order_number", "answer_chip", "rsp_desc", "biz_code", "remote_address", "received_at"]
    list_filter = ["rsp_code"]
    search_fields = ["order_number__exact", "trans_ido__exact"]
    search_help_text = _("the whole order number or transaction number")
    exclude = ["body"]
    readonly_fields = ["body_block"]

    @admin.display(description=_("answer code"), ordering="rsp_code")
    def answer_chip(self, obj):
        return format_html('<span class="chip chip-{}">{}</span>', tone(obj.rsp_code), obj.rsp_code)

    @admin.display(description=_("message"))
    def body_block(self, obj):
        return json_block(obj.body)


@admin.register(AcceptedCall)
class AcceptedCallAdmin(ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["trans_ido", "order", "content_hash"]
    list_select_related = ["order"]
    search_fields = ["trans_ido__exact", "order__number__exact"]
    search_help_text = _("the whole order number or transaction number")
