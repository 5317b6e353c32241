"""Reconciliations with the big-data side, and the differences found."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from orders.lists.assign_owner import owned_pages, owner_line
from orders.lists.cells import actor_field, column, json_block, row_link
from orders.lists.chips import chip
from orders.lists.filter_kinds import PlacesFilter, day_filter
from orders.lists.owner_column import OwnerFilter, owner_column
from orders.lists.personal_data import mask_json, masked_field, raw_field
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import READS_ORDERS, Role, Section, register_list
from orders.lists.scope import Scoped, UnlimitedOnly
from orders.lists.time_cells import ago_field
from orders.models import Difference, Dispatch, Reconciliation
from orders.office.bulk.selection import HandledFilter, TickedList
from orders.people.owned_work import set_owners
from orders.search.list_search import OrderSearch, order_anchor
from orders.texts.error_messages import say_why


def _fix_link(fix: Dispatch) -> str:
    return format_html("{} {}", row_link("orders_dispatch", fix.pk, fix.get_step_display()), chip(fix.State(fix.state)))


@register_list(Reconciliation, menu=(Section.MONEY, 20), empty=_("No reconciliation yet. One runs each night."))
class ReconciliationAdmin(UnlimitedOnly, ReadOnlyAdmin):
    who = actor_field("by", _("by"))
    list_display = ["started_at", "finished_at", "who", "orders", "records", "found_link", "fixed", "error_cut"]
    list_filter = [day_filter("started_at", _("started at"), parameter="started")]
    problem = raw_field("error", _("error as logged"))
    error_cut = column(_("error"), lambda obj: _("Not complete") if obj.error else None, empty_value="")
    fields = ["started_at", "finished_at", "who", "whole", "orders", "records", "found_link", "fixed", "problem"]

    @admin.display(description=_("differences"))
    def found_link(self, obj):
        url = reverse("admin:orders_difference_changelist")
        return format_html('<a href="{}?reconciliation={}">{}</a>', url, obj.pk, obj.differences)


@register_list(
    Difference,
    menu=(Section.MONEY, 30),
    needed_by=READS_ORDERS - {Role.BUSINESS},
    empty=_("No difference: our billing records and the big-data side's agree."),
    name="differences",
    tones={"grey": [Difference.State.ACCEPTED], "red": [Difference.State.OPEN], "green": [Difference.State.OVER]},
)
class DifferenceAdmin(TickedList, OrderSearch, Scoped, ReadOnlyAdmin):
    pages = [owned_pages]
    ordering = ["-pk"]
    who_closed = actor_field("closed_by", _("closed by"), at="closed_at")
    list_display = ["kind", "state_chip", "number_link", "domain", "product_id", "found", "fix_step", "owner_name"]
    column_meanings = {
        "kind": _("how the big-data side's records differ from ours"),
        "state_chip": _("whether it still stands"),
        "found": _("when a comparison found it"),
        "fix_step": _("the step that puts it right"),
    }
    list_filter = [
        "state",
        OwnerFilter,
        "kind",
        day_filter("found_at", _("found at"), parameter="found"),
        PlacesFilter,
        HandledFilter,
    ]
    linked_by = ["reconciliation"]
    add_facts = staticmethod(set_owners)
    change_form_template = "admin/orders/difference.html"
    list_select_related = ["reconciliation", "fix", "order"]
    search_domain = "domain"
    search_help_text = _("order number or domain: whole, or how it begins")
    why = masked_field("reason", _("reason"))
    fields = [
        "job_id", "kind", "state_chip", "domain", "product_id", "found_at", "reconciliation", "fix_step", "left",
        "closed_at", "who_closed", "why", "checked_at", "detail_block",
    ]  # fmt: skip

    def heading(self, obj):
        return f"{obj.job_id} · {obj.get_kind_display()}"

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        context["owning"] = owner_line(request, obj) if obj else None
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    number_link = column(
        _("order"),
        lambda obj: obj.order.number if obj.order else obj.job_id,
        lambda obj: order_anchor(obj.order) or obj.job_id,
    )
    owner_name = owner_column
    found = ago_field("found_at", _("found at"))
    fix_step = column(
        _("put right by"),
        lambda obj: obj.fix and f"{obj.fix.get_step_display()} {obj.fix.get_state_display()}",
        lambda obj: _fix_link(obj.fix) if obj.fix else "-",
    )

    @admin.display(description=_("not put right, because"))
    def left(self, obj):
        left = obj.detail.get("left")
        return say_why(left) if left else "-"

    detail_block = column(_("details"), lambda obj: json_block(mask_json(obj.detail)))
