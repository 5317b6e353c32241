"""The event history of orders, with actors."""

import functools
import operator

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.db.expressions import IsOfStaff
from orders.history.actors import actors_named, rows_of
from orders.lists.cells import actor_field, column, cut_column
from orders.lists.filter_kinds import PlacesFilter, day_filter, word_filter
from orders.lists.personal_data import PersonalData, mask_text_or_json
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import Section, register_list
from orders.lists.scope import Scoped, sees_all
from orders.lists.time_cells import ago_field
from orders.models import OrderEvent
from orders.office.exports.models import ScheduledExport
from orders.office.exports.rights import SEE_SCHEDULES
from orders.office.saved_views.tabs import seen_views
from orders.order_words.history import FILTERS, describe
from orders.search.list_search import OrderSearch

SUBJECTS = {
    "view": ["view_"],
    "schedule": ["schedule_"],
    "orders.view_export": ["export_"],
    "orders.view_bulkrun": ["bulk_"],
    "orders.view_incident": ["incident_"],
    "orders.view_customer": ["customer_"],
    "orders.view_reconciliation": ["reconciled"],
    "orders.view_timeline": ["database_restored", "restore_released"],
    "project.view_user": ["account_", "emergency_"],
    "integrations.view_apitoken": ["api_token_"],
    "notifications.view_notice": ["notice_"],
}
"""Prefixes of the kinds of events without an order, by the permission to view their subject."""


def seen_with_its_subject(user) -> Q:
    """Returns the condition for the events that the user may see: the user's own events, events of orders, and events
    whose subject the user may view. For commands, the condition excludes nothing."""
    if user.pk is None:
        return Q()
    mine = seen_views(user).order_by().values("pk")
    with_id, without = rows_of(user, actor="actor", account_id="account_id", at="at")
    seen, hidden = with_id | without, _begins(SUBJECTS["view"])
    seen |= hidden & Q(data__view__in=list(mine.values_list("pk", flat=True)))
    if not sees_all(user, SEE_SCHEDULES):
        schedules = ScheduledExport.objects.filter(owner=user).values_list("pk", flat=True)
        hidden |= _begins(SUBJECTS["schedule"])
        seen |= _begins(SUBJECTS["schedule"]) & Q(data__schedule__in=list(schedules))
    for right, kinds in SUBJECTS.items():
        if "." in right and not user.has_perm(right):
            hidden |= _begins(kinds)
    return Q(order__isnull=False) | ~hidden | seen


def _begins(kinds: list[str]) -> Q:
    return functools.reduce(operator.or_, (Q(kind__startswith=kind) for kind in kinds))


WhoFilter = word_filter("who", _("who or what"), {key: pair for key, pair in FILTERS.items() if key})


@register_list(
    OrderEvent,
    menu=(Section.TRACE, 20),
    empty=_("Nothing has happened yet. Each step of an order leaves an event."),
    name="events",
)
class OrderEventAdmin(PersonalData, OrderSearch, Scoped, ReadOnlyAdmin):
    list_per_page = 100
    ordering = ["-pk"]
    who = actor_field("actor", _("actor"), account="account_id", at="at")
    list_display = ["what", "order_link", "who", "more", "moment"]
    column_meanings = {
        "what": _("what happened"),
        "who": _("who did it: a person, a partner, or the desk by itself"),
        "more": _("the reason that was given, or a detail"),
        "moment": _("when it happened"),
    }
    list_filter = [WhoFilter, day_filter("at", _("at")), PlacesFilter]
    list_select_related = ["order"]
    search_help_text = _("order number, or how it begins; customer: any part; a colleague's name or user name, whole")
    fields = ["what", "order", "who", "more", "at", "data_block"]

    def get_queryset(self, request):
        return super().get_queryset(request).filter(seen_with_its_subject(request.user))

    def get_search_results(self, request, queryset, search_term):
        """Also finds events by the name of the staff member who caused them, with an index on these actors."""
        found, doubled = super().get_search_results(request, queryset, search_term)
        actors = actors_named(search_term)
        return (found | queryset.filter(IsOfStaff("actor"), actor__in=actors) if actors else found), doubled

    def heading(self, obj):
        return describe(obj).what

    what = column(_("what happened"), lambda obj: describe(obj).what)
    more = cut_column(_("reason or detail"), lambda obj: mask_text_or_json(describe(obj).more))
    moment = ago_field("at", _("at"))
    data_block = column(_("details"), lambda obj: obj.personal.block(obj.data))
