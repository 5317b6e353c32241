"""Ends of trials that no message gave."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.admin.search import order_anchor
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import Section, register_list
from orders.lists.scope import Scoped
from orders.models import TrialEnd
from orders.people import actor_of


@register_list(
    TrialEnd,
    menu=(Section.TRACE, 110),
    empty=_("No trial has ended before its last day, and no end was taken from the big-data side."),
)
class TrialEndAdmin(Scoped, ReadOnlyAdmin, admin.ModelAdmin):
    attribution_path = "trial__attribution"
    ordering = ["-pk"]
    list_display = ["at", "trial_link", "kind", "ends_on", "who"]
    list_select_related = ["trial"]
    list_per_page = 50
    sortable_by = []
    list_filter = ["kind"]
    search_fields = ["trial__number__exact"]
    search_help_text = _("the whole order number")
    readonly_fields = ["trial_link", "who"]
    fields = ["trial_link", "kind", "ends_on", "number", "at", "who"]

    def heading(self, obj):
        return f"{obj.trial.number} · {obj.get_kind_display()}"

    @admin.display(description=_("trial"))
    def trial_link(self, obj):
        return order_anchor(obj.trial)

    @admin.display(description=_("by"))
    def who(self, obj):
        return actor_of(obj.by, at=obj.at)[0]
