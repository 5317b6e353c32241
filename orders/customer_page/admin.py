"""The list of customers. Their pages are in orders.customer_page."""

from django.contrib import admin
from django.db.models import Exists, OuterRef, Prefetch
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.admin.order_search import RECORDS, customer_address, limit_customers
from orders.customer_page.views import CustomerPages
from orders.lists.change_list import FactsChangeList
from orders.lists.filters import PlacesFilter, day_filter
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import Section, register_list
from orders.lists.scope import attributions_of, seen_orders
from orders.lists.times import ago
from orders.models import BillingRecord, Customer, Province
from orders.search.find import is_behind, which_fit


class NewestOrderFilter(day_filter("last_seen", gettext_lazy("newest order"), parameter="newest")):
    """By the newest order that the user may see, which is what the column shows."""

    def bounds(self, model):
        return {name.replace(self.field, "shown_at"): bound for name, bound in super().bounds(model).items()}


class CustomerChangeList(FactsChangeList):
    """Looks up what each customer is billed by now, in one query for all: of a limited reader, by orders that they may
    see."""

    def get_queryset(self, request, exclude_parameters=None):
        self.seen = seen_orders(request.user)
        return super().get_queryset(request, exclude_parameters)

    def add_facts(self, rows):
        now = timezone.now()
        records = BillingRecord.objects.in_force(now)
        if self.seen is not None:
            records = records.filter(order__in=self.seen.order_by().values("pk"))
        records = records.filter(order__enterprise_id=OuterRef("pk")).order_by()
        facts = {kind: Exists(records.filter(info_type=kind)) for kind in RECORDS}
        found = Customer.objects.filter(pk__in=[row.pk for row in rows]).order_by()
        told = {pk: kinds for pk, *kinds in found.values_list("pk", *facts.values())}
        for row in rows:
            row.billed_by = next((kind for kind, has in zip(RECORDS, told[row.pk], strict=True) if has), None)


@register_list(
    Customer,
    menu=(Section.DESK, 20),
    empty=gettext_lazy("No customer yet. One shows here within seconds after its first order."),
    name="customers",
)
class CustomerAdmin(CustomerPages, ReadOnlyAdmin, admin.ModelAdmin):
    changelist = CustomerChangeList
    list_display = ["customer_name", "enterprise_id", "places", "billed_now", "newest_order"]
    list_filter = [NewestOrderFilter, PlacesFilter]
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
        return queryset.filter(which_fit(search_term, seen_orders(request.user))), False

    @admin.display(description=gettext_lazy("customer"))
    def customer_name(self, obj):
        return format_html('<span class="cut" title="{0}">{0}</span>', self.heading(obj))

    @admin.display(description=gettext_lazy("attributions"), empty_value="-")
    def places(self, obj):
        return _(", ").join(row.name for row in obj.attributions.all()) or None

    @admin.display(description=gettext_lazy("billed now"), empty_value="-")
    def billed_now(self, obj):
        """Whether a commercial record is in force now, or else a trial record."""
        if obj.billed_by is None:
            return None
        tone = "green" if obj.billed_by == BillingRecord.Type.COMMERCIAL else "blue"
        url, words = customer_address(obj.pk), RECORDS[obj.billed_by]
        return format_html('<a class="chip chip-{}" href="{}?tab=billing">{}</a>', tone, url, words)

    @admin.display(description=gettext_lazy("newest order"), empty_value="-")
    def newest_order(self, obj):
        return obj.shown_at and ago(obj.shown_at)
