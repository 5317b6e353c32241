"""The page 审计: log-ins, commands and starts. What else people did stands in two other lists, to which it leads."""

from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from notifications.masks import mask_text
from orders.lists.cells import actor_field, column, cut, json_block
from orders.lists.filters import PlacesFilter, day_filter
from orders.lists.personal_data import mask_members
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import AUDITORS, Section, address_of_list, register_list
from orders.lists.scope import UnlimitedOnly
from orders.lists.times import ago_field
from orders.models import OrderEvent, TrailEntry
from orders.people import actors_named
from project.accounts.trail_words import more_words


@register_list(
    TrailEntry,
    menu=(Section.ENGINE, 90),
    empty=_("Nobody has logged in yet since the desk keeps this list."),
    readers=AUDITORS,
    name="trail",
)
class TrailAdmin(UnlimitedOnly, ReadOnlyAdmin, admin.ModelAdmin):
    """The union with events and log entries is the command `audit`; here each of the three is a list of its own."""

    list_per_page = 100
    ordering = ["-pk"]
    change_list_template = "admin/trail.html"
    list_display = ["what", "about_words", "who", "address", "more", "moment"]
    list_filter = ["code", day_filter("at", _("at")), PlacesFilter]
    search_fields = ["about__exact"]  # shows the search box; get_search_results does the search
    search_help_text = _("a colleague's name or user name, or a command: whole")
    fields = ["what", "about_words", "who", "address", "at", "keep_until", "data_block"]

    def changelist_view(self, request, extra_context=None):
        kept = {name: request.GET[name] for name in ("q", "at") if request.GET.get(name)}
        more = {
            "events_url": f"{address_of_list(OrderEvent)}?{urlencode({'who': 'people'} | kept)}",
            "journal_url": f"{address_of_list(LogEntry)}?{urlencode(kept)}",
        }
        return super().changelist_view(request, more | (extra_context or {}))

    def get_search_results(self, request, queryset, search_term):
        """What an account did, and the failed log-ins under its name."""
        term, actors = search_term.strip(), actors_named(search_term)
        if not term or "\0" in term:
            return queryset, False
        accounts = [actor.partition(":")[2] for actor in actors]
        about = Q(about__in=[term[:200], *accounts])
        return queryset.filter(about | Q(actor__in=[*actors, f"command:{term}"])), False

    def heading(self, obj):
        return obj.get_code_display()

    what = column(pgettext_lazy("trail", "what"), lambda obj: obj.get_code_display())
    about_words = column(pgettext_lazy("trail", "about"), lambda obj: mask_text(obj.about) or "-")
    who = actor_field("actor", _("actor"), account="account_id", at="at")
    more = column(_("reason or detail"), lambda obj: cut(more_words(obj)))
    moment = ago_field("at", _("at"))
    data_block = column(_("details"), lambda obj: json_block(mask_members(obj.data)))
