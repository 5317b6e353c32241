"""What happened to orders, by whom."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.admin.filters import day_filter
from orders.admin.personal import PersonalData, personal_block
from orders.admin.read_only import ReadOnlyAdmin
from orders.admin.scope import Scoped
from orders.admin.search import OrderSearch
from orders.models import OrderEvent


@admin.register(OrderEvent)
class OrderEventAdmin(PersonalData, OrderSearch, Scoped, ReadOnlyAdmin, admin.ModelAdmin):
    ordering = ["-pk"]
    list_display = ["at", "order", "kind", "actor"]
    list_filter = [day_filter("at", _("at"))]
    sortable_by = []
    list_select_related = ["order"]
    search_help_text = _("order number: whole, or how it begins")
    readonly_fields = ["data_block"]
    fields = ["order", "at", "actor", "kind", "data_block"]

    @admin.display(description=_("details"))
    def data_block(self, obj):
        return personal_block(obj.data, obj)
