"""Lists of domains, of claims on trials, and of ends of trials that came from no message."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.lists.cells import actor_field
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import Role, Section, register_list
from orders.lists.scope import Scoped
from orders.models import OrderDomain, TrialClaim, TrialEnd
from orders.search.list_search import OrderSearch, order_field


@register_list(OrderDomain, menu=(Section.TRACE, 90), empty=_("No domains yet. They come with the orders."))
class OrderDomainAdmin(OrderSearch, Scoped, ReadOnlyAdmin):
    fields = ["name", "order"]
    ordering = ["-pk"]
    list_display = ["name", "order_link"]
    list_select_related = ["order"]
    search_domain = "key"
    search_help_text = _("order number or domain: whole, or how it begins")

    def heading(self, obj):
        return obj.name


@register_list(
    TrialClaim, menu=(Section.ENGINE, 130), needed_by={Role.ENGINEER}, empty=_("No activation holds a trial yet.")
)
class TrialClaimAdmin(Scoped, ReadOnlyAdmin):
    sortable_by = None
    list_per_page = 100
    attribution_path = "activation__attribution"
    activation_link = order_field("activation", _("activation"))
    trial_link = order_field("trial", _("trial"))
    list_display = ["taken_at", "activation_link", "trial_link", "released_at"]
    list_select_related = ["activation", "trial"]
    list_filter = [("released_at", admin.EmptyFieldListFilter)]
    search_fields = ["activation__number__exact", "trial__number__exact"]
    search_help_text = _("the whole order number")

    def heading(self, obj):
        return f"{obj.activation.number} → {obj.trial.number}"


@register_list(
    TrialEnd,
    menu=(Section.TRACE, 110),
    empty=_("No trial has ended before its last day, and no end was taken from the big-data side."),
)
class TrialEndAdmin(Scoped, ReadOnlyAdmin):
    attribution_path = "trial__attribution"
    ordering = ["-pk"]
    trial_link = order_field("trial", _("trial"))
    who = actor_field("by", _("by"), at="at")
    list_display = ["at", "trial_link", "kind", "ends_on", "who"]
    list_select_related = ["trial"]
    list_filter = ["kind"]
    search_fields = ["trial__number__exact"]
    search_help_text = _("the whole order number")
    fields = ["trial_link", "kind", "ends_on", "number", "at", "who"]

    def heading(self, obj):
        return f"{obj.trial.number} · {obj.get_kind_display()}"
