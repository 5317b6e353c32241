"""Billing records and the traffic of trials."""

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from orders.incidents.order_warnings import mark_records
from orders.lists.cells import column, row_link
from orders.lists.chips import ChipParts, parts_of, undoubted_parts
from orders.lists.filter_kinds import PlacesFilter, day_filter
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import Section, register_list
from orders.lists.scope import Scoped
from orders.lists.service_names import service_name
from orders.lists.time_cells import ago
from orders.models import BillingRecord, ServiceType, TrialUsage
from orders.search.list_search import CustomerFilter, OrderSearch, customer_anchor, customer_words, order_field


@undoubted_parts.register
def _parts(row: BillingRecord) -> ChipParts:
    """Shows a live record that begins later as not begun, since nobody is billed for the record yet."""
    later = row.state == row.State.LIVE and row.create_time is not None and row.create_time > timezone.now()
    return ("grey", _("not begun yet"), "") if later else parts_of(row.State(row.state))


@register_list(
    BillingRecord,
    menu=(Section.DESK, 30),
    empty=_("No billing records yet. They are noted when an order is planned."),
    name="billing",
    tones={
        "grey": [BillingRecord.State.TO_SEND, BillingRecord.State.CANCELLED, BillingRecord.State.DELETED],
        "amber": [BillingRecord.State.UNKNOWN],
        "green": [BillingRecord.State.LIVE],
    },
)
class BillingRecordAdmin(OrderSearch, Scoped, ReadOnlyAdmin):
    ordering = ["-pk"]
    list_display = [
        "domain",
        "state_chip",
        "customer",
        "order_link",
        "info_type",
        "product_id",
        "create_time",
        "cancel_time",
    ]
    column_meanings = {
        "state_chip": _("state at the big-data side, as far as we know"),
        "info_type": _("record of a trial (free), or commercial"),
        "create_time": _("from when on it counts"),
        "cancel_time": _("until when it counts"),
    }
    list_filter = [
        "state",
        "info_type",
        day_filter("create_time", _("createTime"), parameter="created"),
        CustomerFilter,
        PlacesFilter,
    ]
    list_select_related = ["order"]
    search_domain = "domain_key"
    search_help_text = _("customer; order number or domain, or how it begins")
    fields = [
        "order",
        "domain",
        "state_chip",
        "made_so_by",
        "info_type",
        "product_id",
        "service",
        "create_time",
        "cancel_time",
        "cancelled_at",
    ]

    def add_facts(self, rows):
        mark_records(rows)

    def heading(self, obj):
        return obj.domain

    def get_object(self, request, object_id, from_field=None):
        obj = super().get_object(request, object_id, from_field)
        mark_records([obj] if obj else [])
        return obj

    customer = column(
        _("customer"), lambda obj: customer_words(obj.order), lambda obj: customer_anchor(obj.order), empty_value="-"
    )

    @admin.display(description=_("businessType"))
    def service(self, obj):
        known = ServiceType.objects.filter(code=obj.business_type).first()
        return f"{obj.business_type} {service_name(known)}".strip()

    @admin.display(description=_("made so by"))
    def made_so_by(self, obj):
        """Returns the call whose response set the present state. For a deleted record, this call proves the
        deletion."""
        if obj.dispatch is None:
            return "-"
        link = row_link("orders_dispatch", obj.dispatch_id, obj.dispatch.get_step_display())
        return format_html("{} {}", link, ago(obj.dispatch.done_at))


@register_list(
    TrialUsage,
    menu=(Section.MONEY, 40),
    empty=_("No traffic yet. It is asked for each night, and when an activation comes."),
)
class TrialUsageAdmin(OrderSearch, Scoped, ReadOnlyAdmin):
    attribution_path = "trial__attribution"
    search_path = "trial"
    trial_link = order_field("trial", _("trial"))
    list_display = ["asked_at", "trial_link", "data_flow", "product_id", "enterprise_id"]
    list_filter = [day_filter("asked_at", _("asked at"), parameter="asked")]
    list_select_related = ["trial"]

    def heading(self, obj):
        return obj.trial.number
