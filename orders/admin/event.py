"""What happened to orders, and who did it."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.admin.cells import cut
from orders.admin.filters import day_filter, word_filter
from orders.admin.personal import PersonalData, masked_text, personal_block
from orders.admin.read_only import ReadOnlyAdmin
from orders.admin.scope import Scoped
from orders.admin.search import OrderSearch
from orders.admin.time_cell import ago
from orders.models import OrderEvent
from orders.order_page.history import FILTERS, describe
from orders.people import actor_of

WhoFilter = word_filter("who", _("who or what"), {key: pair for key, pair in FILTERS.items() if key})


@admin.register(OrderEvent)
class OrderEventAdmin(PersonalData, OrderSearch, Scoped, ReadOnlyAdmin, admin.ModelAdmin):
    ordering = ["-pk"]
    list_display = ["what", "order_link", "who", "more", "moment"]
    list_filter = [WhoFilter, day_filter("at", _("at"))]
    sortable_by = []
    list_select_related = ["order"]
    search_help_text = _("order number: whole, or how it begins")
    readonly_fields = ["what", "who", "more", "data_block"]
    fields = ["what", "order", "who", "more", "at", "kind", "data_block"]

    def heading(self, obj):
        return describe(obj).what

    @admin.display(description=_("what happened"))
    def what(self, obj):
        return describe(obj).what

    @admin.display(description=_("actor"))
    def who(self, obj):
        return actor_of(obj.actor, obj.account_id, obj.at)[0]

    @admin.display(description=_("reason or detail"))
    def more(self, obj):
        return cut(masked_text(describe(obj).more))

    @admin.display(description=_("at"))
    def moment(self, obj):
        return ago(obj.at)

    @admin.display(description=_("details"))
    def data_block(self, obj):
        return personal_block(obj.data, obj)
