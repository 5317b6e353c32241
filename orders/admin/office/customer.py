"""The list of customers. Their pages are in orders.customer_page."""

from django.contrib import admin
from django.db.models import Prefetch
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.admin.filters import day_filter
from orders.admin.office.customer_note import CustomerNotes
from orders.admin.read_only import ReadOnlyAdmin
from orders.admin.scope import attributions_of, limit_customers, seen_orders
from orders.admin.search import customer_address
from orders.admin.time_cell import ago
from orders.customer_page.views import CustomerPages
from orders.models import Customer, Province
from orders.queries.find import customers_with, is_behind


class NewestOrderFilter(day_filter("last_seen", gettext_lazy("newest order"), parameter="newest")):
    """By the newest order that the user may see, which is what the column shows."""

    def bounds(self, model):
        return {name.replace(self.field, "shown_at"): bound for name, bound in super().bounds(model).items()}


@admin.register(Customer)
class CustomerAdmin(CustomerNotes, CustomerPages, ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["customer_name", "enterprise_id", "places", "billed_now", "newest_order"]
    only_on_page = ["billed_now"]
    list_filter = [NewestOrderFilter]
    list_per_page = 50
    sortable_by = []
    search_fields = ["enterprise_id"]  # shows the search box; get_search_results does the search
    search_help_text = gettext_lazy("any part of the name or enterprise id")

    def heading(self, obj):
        return obj.shown_name or obj.enterprise_id

    def changelist_view(self, request, extra_context=None):
        return super().changelist_view(request, {"behind": is_behind(), **(extra_context or {})})

    def get_queryset(self, request):
        letters = attributions_of(request.user)
        seen = Province.objects.all() if letters is None else Province.objects.filter(letters__in=letters)
        rows = limit_customers(super().get_queryset(request), request.user)
        return rows.prefetch_related(Prefetch("attributions", seen))

    def get_search_results(self, request, queryset, search_term):
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=customers_with(search_term, seen_orders(request.user))), False

    @admin.display(description=gettext_lazy("customer"))
    def customer_name(self, obj):
        return format_html('<span class="cut" title="{0}">{0}</span>', self.heading(obj))

    @admin.display(description=gettext_lazy("attributions"), empty_value="-")
    def places(self, obj):
        return _(", ").join(row.name for row in obj.attributions.all()) or None

    @admin.display(description=gettext_lazy("billed now"))
    def billed_now(self, obj):
        return format_html('<a href="{}?tab=billing">{}</a>', customer_address(obj.pk), _("Billed now"))

    @admin.display(description=gettext_lazy("newest order"), empty_value="-")
    def newest_order(self, obj):
        return obj.shown_at and ago(obj.shown_at)
