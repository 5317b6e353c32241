"""The info-security files of orders and the results of their checks."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from approvals.models import ApprovalRecord
from orders.admin.order_filters import StuckFilter
from orders.attachments.preview import findings_of
from orders.history.actors import actor_of
from orders.incidents.order_warnings import mark_orders
from orders.lists.cells import cut
from orders.lists.chips import chip_of, toned_chip
from orders.lists.filter_kinds import OwnAttributions, day_filter
from orders.lists.personal_data import mask_text_or_json
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import TRACES, Section, register_list
from orders.lists.scope import Scoped, seen_orders
from orders.lists.time_cells import ago_field
from orders.models import Dispatch, OrderFiles
from orders.search.list_search import search_orders
from orders.texts.incident_texts import cause_of


@register_list(
    OrderFiles, menu=(Section.DESK, 70), needed_by=TRACES, empty=_("No order has named info-security files yet.")
)
class OrderFilesAdmin(Scoped, ReadOnlyAdmin):
    attribution_path = "attribution"
    list_display = ["number", "files", "check_chip", "finding", "state_chip", "attribution", "received"]
    list_filter = ["state", StuckFilter, ("attribution", OwnAttributions), day_filter("received_at", _("received"))]
    list_select_related = ["attribution"]
    search_fields = ["number"]
    search_help_text = _("order, trial, product id, enterprise or domain: whole, or how it begins")
    fields = ["order_link", "files", "state_chip", "held_because"]

    def add_facts(self, rows):
        ids = [order.pk for order in rows]
        steps = Dispatch.objects.filter(order__in=ids, step=Dispatch.Step.CHECK_FILES).order_by("pk").defer("payload")
        checks = {row.order_id: row for row in steps}
        mark_orders(rows)
        waivers = ApprovalRecord.objects.filter(order__in=ids, result=ApprovalRecord.Result.WAIVE).order_by("pk")
        waived = {row.order_id: row for row in waivers}
        for order in rows:
            order.check_row = row = checks.get(order.pk)
            order.waiver = waived.get(order.pk) if row and row.state == Dispatch.State.DONE else None

    def heading(self, obj):
        return obj.number

    def get_search_results(self, request, queryset, search_term):
        return search_orders(queryset, search_term, seen_orders(request.user)), False

    @admin.display(description=_("files"))
    def files(self, order):
        return format_html_join(
            "", '<div class="mono cut" title="{0}">{0}</div>', ((name,) for name in order.file_names)
        )

    @admin.display(description=_("check"), empty_value="-")
    def check_chip(self, order):
        if order.waiver:
            return toned_chip("grey", order.waiver.get_result_display())
        return order.check_row and chip_of(order.check_row)

    @admin.display(description=_("finding"), empty_value="")
    def finding(self, order):
        row = order.check_row
        if order.waiver:
            who, why = actor_of(order.waiver.operator, at=order.waiver.time)[0], mask_text_or_json(order.waiver.opinion)
            return cut(f"{who}{_(': ')}{why}")
        found = dict.fromkeys(str(cause_of(one["code"]).what) for one in findings_of(row) if one["code"]) if row else []
        return cut(" ".join(found)) if found and row.error_code else None

    @admin.display(description=_("order"))
    def order_link(self, order):
        url = reverse("admin:orders_order_change", args=[order.pk])
        return format_html('<a href="{}?tab=files">{}</a>', url, order.number)

    received = ago_field("received_at", _("received"))
