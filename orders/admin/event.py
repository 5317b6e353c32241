"""What happened to orders, by whom."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.admin.json_block import json_block
from orders.admin.read_only import ReadOnlyAdmin
from orders.models import OrderEvent


@admin.register(OrderEvent)
class OrderEventAdmin(ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["at", "order", "kind", "actor"]
    list_filter = ["kind"]
    list_select_related = ["order"]
    search_fields = ["order__number__exact", "actor__exact"]
    search_help_text = _("the whole order number or actor")
    readonly_fields = ["data_block"]
    fields = ["order", "at", "actor", "kind", "data_block"]

    @admin.display(description=_("details"))
    def data_block(self, obj):
        return json_block(obj.data)
