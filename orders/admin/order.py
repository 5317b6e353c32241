"""Orders (their list and their page), their domains, and the claims on trials."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.admin.chips import StateChip
from orders.admin.order_list import OrderList
from orders.admin.order_page import OrderPages
from orders.admin.read_only import ReadOnlyAdmin
from orders.admin.scope import Scoped
from orders.admin.search import OrderSearch
from orders.models import Order, OrderDomain, TrialClaim


@admin.register(Order)
class OrderAdmin(OrderPages, OrderList, Scoped, StateChip, ReadOnlyAdmin, admin.ModelAdmin):
    attribution_path = "attribution"


@admin.register(OrderDomain)
class OrderDomainAdmin(OrderSearch, Scoped, ReadOnlyAdmin, admin.ModelAdmin):
    ordering = ["-pk"]
    list_display = ["name", "order"]
    list_select_related = ["order"]
    search_domain = "key"
    search_help_text = _("order number or domain: whole, or how it begins")


@admin.register(TrialClaim)
class TrialClaimAdmin(Scoped, ReadOnlyAdmin, admin.ModelAdmin):
    attribution_path = "activation__attribution"
    list_display = ["activation", "trial", "taken_at", "released_at"]
    list_select_related = ["activation", "trial"]
    list_filter = [("released_at", admin.EmptyFieldListFilter)]
    search_fields = ["activation__number__exact", "trial__number__exact"]
    search_help_text = _("the whole order number")
